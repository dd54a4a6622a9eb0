/**
 * The least that a server on uWebSockets.js can do with Tollgate's requests: collect the body and answer as
 * Tollgate does. Sends its port once it listens.
 */
import uws from 'uWebSockets.js';

const granted = JSON.stringify({
  data: {
    isGranted: true,
    accessDeniedReason: null,
    featureId: 'feature-1',
    usageLimit: '1000000',
    currentUsage: '12345',
    reservedUsage: '0',
    requestedUsage: null,
    hasUnlimitedUsage: false,
    hasSoftLimit: false,
    enumValues: null,
    requestedValues: null,
    usagePeriodStart: '2026-01-01T00:00:00.000Z',
    usagePeriodEnd: '2026-02-01T00:00:00.000Z',
    validUntil: null,
    asOf: '2026-01-15T12:00:00.000Z',
  },
});

const app = uws.App();
for (const events of [1, 100]) {
  const accepted = JSON.stringify({ data: { accepted: events, rejected: [] } });
  app.post(`/events/${events}`, (response) => {
    const chunks: Buffer[] = [];
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    response.onData((chunk, isLast) => {
      // The chunk's memory is the socket's, and holds other bytes as soon as this returns.
      chunks.push(Buffer.from(Buffer.from(chunk)));
      if (!isLast || aborted) return;
      const isBody = Buffer.concat(chunks).length > 0;
      response.cork(() => {
        response.writeStatus(isBody ? '202 Accepted' : '400 Bad Request');
        response.writeHeader('Content-Type', 'application/json').end(accepted);
      });
    });
  });
}
app.get('/*', (response) => {
  response.writeHeader('Content-Type', 'application/json').end(granted);
});
app.listen('127.0.0.1', 0, (socket) => {
  process.send?.(socket === false ? 0 : uws.us_socket_local_port(socket));
});
process.once('disconnect', () => process.exit());
