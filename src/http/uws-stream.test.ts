import { afterEach, expect, it } from 'vitest';
import type { RequestHead, Route } from './message.ts';
import { eventually, headOf, makeGate, RawClient } from './raw-client.fixture.ts';
import { createHttpServer, type HttpServer } from './uws-server.ts';

const servers: HttpServer[] = [];
const clients: RawClient[] = [];
const errors: unknown[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const eventStream = { 'Content-Type': 'text/event-stream' };

async function open(
  stream: (head: RequestHead) => AsyncIterable<string>,
): Promise<{ client: RawClient; server: HttpServer }> {
  const route: Route = {
    method: 'GET',
    path: '/stream',
    handle: (request) => ({ status: 200, headers: eventStream, stream: stream(request) }),
  };
  const server = createHttpServer({
    routes: [route],
    log: { error: (...args: unknown[]) => void errors.push(args) },
  });
  servers.push(server);
  const client = await RawClient.connect(await server.listen('127.0.0.1', 0, { shared: false }));
  clients.push(client);
  await client.send(headOf('GET', '/stream'));
  return { client, server };
}

async function* endless(signal: AbortSignal): AsyncGenerator<string> {
  yield 'data: first\n\n';
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

it('writes each part as it comes, and the head before the first', async () => {
  const gates = [makeGate<string>(), makeGate<string>()];
  const { client, server } = await open(async function* () {
    for (const gate of gates) yield await gate.passed;
  });
  const head = await client.text('\r\n\r\n');
  expect(head).toContain('200 OK');
  expect(head).toContain('text/event-stream');
  gates[0]?.open('data: ü\n\n');
  await client.text('data: ü\n\n');
  await eventually(() => server.load().requests === 1);
  gates[1]?.open('data: 2\n\n');
  expect(await client.text('\r\n0\r\n\r\n')).toContain('data: 2\n\n');
  await eventually(() => server.load().requests === 0);
});

it('stops its source when the client goes', async () => {
  const ended = makeGate();
  const { client, server } = await open(async function* ({ signal }) {
    try {
      yield* endless(signal);
    } finally {
      ended.open();
    }
  });
  expect(await client.text('data: first')).toContain('data: first');
  client.destroy();
  await ended.passed;
  await eventually(() => server.load().requests === 0);
});

it('stops a source that is no generator and never answers, by its return', async () => {
  const last = makeGate<IteratorResult<string>>();
  const end = async (): Promise<IteratorResult<string>> => {
    last.open({ done: true, value: undefined });
    return last.passed;
  };
  const source = { [Symbol.asyncIterator]: () => ({ next: () => last.passed, return: end }) };
  const { client, server } = await open(() => source);
  expect(await client.text('\r\n\r\n')).toContain('200 OK');
  client.destroy();
  await eventually(() => server.load().requests === 0);
});

it('ends in good order when the server stops', async () => {
  const { client, server } = await open(({ signal }) => endless(signal));
  await client.text('data: first');
  await server.stop();
  await client.closed;
  expect(await client.text('')).toMatch(/\r\n0\r\n\r\n$/);
});

it('waits for a slow reader instead of gathering what it does not take', async () => {
  const part = `data: ${'x'.repeat(65_536)}\n\n`;
  const count = 500;
  let produced = 0;
  const { client } = await open(async function* () {
    for (; produced < count; produced++) yield part;
  });
  client.socket.pause();
  // The source stands still once the kernel's buffers are full.
  for (let before = -1; produced !== before; ) {
    before = produced;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(produced).toBeLessThan(count);
  // What comes is only counted: the client's own buffer is not made for so much.
  client.socket.removeAllListeners('data');
  client.socket.resume();
  await eventually(() => client.socket.bytesRead > count * part.length);
  expect(produced).toBe(count);
});

it('is cut off, not ended, when its source fails', async () => {
  const gate = makeGate();
  const { client, server } = await open(async function* () {
    yield 'data: first\n\n';
    await gate.passed;
    throw new Error('the source failed');
  });
  expect(await client.text('data: first')).toContain('data: first');
  gate.open();
  await client.closed;
  expect(await client.text('')).not.toContain('\r\n0\r\n\r\n');
  await eventually(() => server.load().requests === 0);
  expect(errors).toHaveLength(1);
});
