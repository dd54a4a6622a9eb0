import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type LoadOptions, runLoad } from './load.ts';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server that answers as the function says, once the request's body is there; requests count from 0. */
async function serve(
  answer: (response: ServerResponse, request: number, body: string) => void,
): Promise<number> {
  let count = 0;
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => answer(response, count++, body));
  });
  const listening = once(server, 'listening');
  server.listen(0, '127.0.0.1');
  await listening;
  return (server.address() as AddressInfo).port;
}

function load(port: number, options: Partial<LoadOptions>) {
  const target = { port, path: '/things', apiKey: 'key' };
  const next = () => ({ body: Buffer.from('{"a":1}') });
  return runLoad(target, { connections: 2, seconds: 0.3, rate: undefined, next, ...options });
}

describe('an open loop', () => {
  it('counts latency from when a request was due, not from when a stalled server let it be sent', async () => {
    const stallMs = 400;
    let stall: Promise<void> | undefined;
    const port = await serve((response) => {
      stall ??= new Promise((resolve) => setTimeout(resolve, stallMs));
      void stall.then(() => response.end('{}'));
    });
    const result = await load(port, { connections: 2, rate: 100, seconds: 0.3 });
    // Thirty requests fell due while two were on their way: whoever counts from the sending sees two slow ones.
    expect(result.succeeded).toBe(30);
    expect(result.late).toBeGreaterThanOrEqual(28);
    const waited = [...result.latenciesMs].filter((latency) => latency >= stallMs - 300 - 5);
    expect(waited.length).toBe(30);
    expect(result.latenciesMs.at(-1)).toBeGreaterThanOrEqual(stallMs - 5);
    const sum = result.latenciesMs.reduce((total, latency) => total + latency, 0);
    expect(sum / 30).toBeGreaterThan((stallMs + (stallMs - 300)) / 2 - 20);
  });

  it('sends what falls due, no more', async () => {
    const port = await serve((response) => void response.end('{}'));
    const result = await load(port, { rate: 200, seconds: 0.25 });
    expect(result).toMatchObject({ succeeded: 50, failed: 0, unsent: 0, statuses: { 200: 50 } });
  });
});

describe('a closed loop', () => {
  it('has one request on its way on each connection', async () => {
    let [open, most] = [0, 0];
    const port = await serve((response) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        response.end('{}');
      });
    });
    const result = await load(port, { connections: 3 });
    expect(most).toBeLessThanOrEqual(3);
    expect(result.succeeded).toBeGreaterThan(3);
    expect(result.late).toBe(0);
  });
});

describe('answers', () => {
  it('are told apart by status, and by whoever looks into them', async () => {
    const port = await serve((response, request) => {
      if (request % 3 === 1) response.statusCode = 503;
      response.end(request % 3 === 2 ? '{"wrong":true}' : '{}');
    });
    const seen: string[] = [];
    const result = await load(port, {
      connections: 1,
      next: () => ({
        path: '/a?b=c',
        answered: (_status, body) => {
          seen.push(body.toString());
          return body.toString() === '{}';
        },
      }),
    });
    expect(result.succeeded + result.failed).toBe(seen.length);
    expect(result.statuses[200]).toBe(seen.length - (result.statuses[503] ?? 0));
    expect(result.succeeded).toBe(Math.ceil(seen.length / 3));
  });

  it('are put together from parts, and a connection that is closed is opened again', async () => {
    const large = JSON.stringify({ text: 'x'.repeat(100_000) });
    const port = await serve((response, request) => {
      if (request % 2 === 1) response.destroy();
      else response.setHeader('Content-Length', large.length).end(large);
    });
    const lengths = new Set<number>();
    const result = await load(port, {
      next: () => ({ answered: (status, body) => status === 0 || Boolean(lengths.add(body.length)) }),
    });
    expect(lengths).toEqual(new Set([large.length]));
    expect(result.statuses[0]).toBeGreaterThan(0);
    expect(result.statuses[200]).toBeGreaterThan(1);
  });

  it('end with the load when nobody listens any more', async () => {
    const port = await serve((response, request) => {
      if (request === 5) {
        server?.closeAllConnections();
        server?.close();
      } else response.end('{}');
    });
    const result = await load(port, { seconds: 30 });
    expect(result.statuses[200]).toBeGreaterThanOrEqual(4);
    expect(result.seconds).toBeLessThan(30);
  });
});
