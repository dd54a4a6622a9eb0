import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../embedded/installation.ts';
import { jsonResponse, type ProblemFormat, problemResponse, type Route } from './message.ts';
import { chunkOf, eventually, headOf, lastChunk, makeGate, RawClient } from './raw-client.fixture.ts';
import { type Answered, createHttpServer, type HttpServer, type HttpServerOptions } from './uws-server.ts';

const servers: HttpServer[] = [];
const clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

/** Answers the body's length and hash, so that a body of any size can be compared. */
const echo: Route = {
  method: 'POST',
  path: '/echo',
  handle: ({ body }) => jsonResponse(200, { bytes: body.length, sha256: sha256(body) }),
};

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

interface Running {
  readonly server: HttpServer;
  readonly port: number;
  readonly logged: unknown[];
  readonly answered: Answered[];
}

async function start(routes: readonly Route[], options: Partial<HttpServerOptions> = {}): Promise<Running> {
  const logged: unknown[] = [];
  const answered: Answered[] = [];
  const server = createHttpServer({
    routes,
    log: { error: (...args: unknown[]) => void logged.push(args) },
    onAnswered: (one) => void answered.push(one),
    ...options,
  });
  servers.push(server);
  return { server, port: await server.listen('127.0.0.1', 0, { shared: false }), logged, answered };
}

async function connect(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  clients.push(client);
  return client;
}

const text = Buffer.from('{"名前":"Ünïcödé 🚰💧 – ￿","n":1}');
const echoOfText = { bytes: text.length, sha256: sha256(text) };

describe('bodies', () => {
  it('are exact when cut at every byte, also inside a character', async () => {
    const { port } = await start([echo]);
    const client = await connect(port);
    const head = headOf('POST', '/echo', `Content-Length: ${text.length}`);
    for (let cut = 0; cut <= text.length; cut++) {
      await client.send(head, text.subarray(0, cut), text.subarray(cut));
      expect(JSON.parse((await client.response()).body)).toEqual(echoOfText);
    }
  });

  it('are exact byte by byte, with a head that is cut too', async () => {
    const { port } = await start([echo]);
    const client = await connect(port);
    const whole = Buffer.concat([
      Buffer.from(headOf('POST', '/echo', `Content-Length: ${text.length}`)),
      text,
    ]);
    await client.send(...Array.from(whole, (byte) => Buffer.from([byte])));
    expect(JSON.parse((await client.response()).body)).toEqual(echoOfText);
  });

  it('are exact in chunks cut at every byte', async () => {
    const { port } = await start([echo]);
    const client = await connect(port);
    const head = headOf('POST', '/echo', 'Transfer-Encoding: chunked');
    for (let cut = 1; cut < text.length; cut++) {
      await client.send(head, chunkOf(text.subarray(0, cut)), chunkOf(text.subarray(cut)), lastChunk);
      expect(JSON.parse((await client.response()).body)).toEqual(echoOfText);
    }
  });

  it('are exact when large, and nothing is held afterwards', async () => {
    const { port, server } = await start([echo]);
    const body = Buffer.alloc(12_345_678, 'Ä💧');
    const response = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', body });
    expect(await response.json()).toEqual({ bytes: body.length, sha256: sha256(body) });
    expect(server.load()).toEqual({ requests: 0, bodyBytes: 0 });
  });

  it('may be empty, and announced with Expect', async () => {
    const { port } = await start([echo]);
    const client = await connect(port);
    await client.send(headOf('POST', '/echo', 'Content-Length: 0'));
    expect(JSON.parse((await client.response()).body)).toMatchObject({ bytes: 0 });
    await client.send(headOf('POST', '/echo', `Content-Length: ${text.length}`, 'Expect: 100-continue'));
    expect(await client.response()).toMatchObject({ status: 100 });
    await client.send(text);
    expect(JSON.parse((await client.response()).body)).toEqual(echoOfText);
  });
});

describe('bodies over the limit', () => {
  const limit = { bodyBytesMax: 1_000 };

  it('of exactly the limit are taken', async () => {
    const { port } = await start([echo], limit);
    const response = await fetch(`http://127.0.0.1:${port}/echo`, {
      method: 'POST',
      body: 'x'.repeat(1_000),
    });
    expect(response.status).toBe(200);
  });

  it('are refused by their Content-Length before they are sent', async () => {
    const { port, server } = await start([echo], limit);
    const client = await connect(port);
    await client.send(headOf('POST', '/echo', 'Content-Length: 1001'));
    const { status, body } = await client.response();
    expect(status).toBe(413);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
    expect(server.load()).toEqual({ requests: 0, bodyBytes: 0 });
  });

  it('are refused as soon as their chunks go over', async () => {
    const { port, server } = await start([echo], limit);
    const client = await connect(port);
    await client.send(headOf('POST', '/echo', 'Transfer-Encoding: chunked'), chunkOf(Buffer.alloc(600)));
    expect(server.load().bodyBytes).toBe(600);
    await client.send(chunkOf(Buffer.alloc(600)));
    expect((await client.response()).status).toBe(413);
    expect(server.load()).toEqual({ requests: 0, bodyBytes: 0 });
  });

  it('leave a client that sends on able to read the answer, and to call again', async () => {
    const { port } = await start([echo], limit);
    const client = await connect(port);
    const head = headOf('POST', '/echo', 'Content-Length: 20000000');
    client.socket.write(head);
    client.socket.write(Buffer.alloc(20_000_000, 'x'));
    expect((await client.response()).status).toBe(413);
    await client.send(headOf('POST', '/echo', `Content-Length: ${text.length}`), text);
    expect(JSON.parse((await client.response()).body)).toEqual(echoOfText);
  });

  it('are answered to fetch like any other', async () => {
    const { port } = await start([echo], limit);
    const response = await fetch(`http://127.0.0.1:${port}/echo`, {
      method: 'POST',
      body: Buffer.alloc(50_000),
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
  });
});

function postEncoded(port: number, encoding: string, body: Buffer): Promise<Response> {
  const headers = { 'Content-Encoding': encoding };
  return fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', headers, body });
}

describe('Content-Encoding', () => {
  it('gzip is undone, also of several members', async () => {
    const { port, server } = await start([echo]);
    const twoMembers = Buffer.concat([gzipSync(text.subarray(0, 12)), gzipSync(text.subarray(12))]);
    for (const body of [gzipSync(text), twoMembers]) {
      expect(await (await postEncoded(port, 'gzip', body)).json()).toEqual(echoOfText);
    }
    expect(server.load()).toEqual({ requests: 0, bodyBytes: 0 });
  });

  it('a body that grows past the limit is refused', async () => {
    const { port, server } = await start([echo], { bodyBytesMax: 1_000_000 });
    const bomb = gzipSync(Buffer.alloc(64 * 1_048_576));
    expect(bomb.length).toBeLessThan(100_000);
    const response = await postEncoded(port, 'gzip', bomb);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
    expect(server.load()).toEqual({ requests: 0, bodyBytes: 0 });
  });

  it('a body that is no gzip, or only the beginning of one, is refused', async () => {
    const { port } = await start([echo]);
    for (const body of [text, gzipSync(text).subarray(0, -9), Buffer.from([0x1f, 0x8b]), Buffer.alloc(0)]) {
      const response = await postEncoded(port, 'gzip', body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: 'VALIDATION_ERROR' } });
    }
  });

  it('another encoding is refused', async () => {
    const { port } = await start([echo]);
    for (const encoding of ['br', 'deflate', 'gzip, gzip']) {
      expect((await postEncoded(port, encoding, text)).status).toBe(415);
    }
  });
});

describe('routing', () => {
  const routes: Route[] = [
    echo,
    { method: 'GET', path: '/things', handle: ({ query }) => jsonResponse(200, { q: query.get('q') }) },
    { method: 'GET', path: '/things/:thingId', handle: ({ params }) => jsonResponse(200, params) },
  ];

  it('gives path parts and query decoded', async () => {
    const { port } = await start(routes);
    const things = await fetch(`http://127.0.0.1:${port}/things?q=%C3%BC+%26`);
    expect(await things.json()).toEqual({ q: 'ü &' });
    const thing = await fetch(`http://127.0.0.1:${port}/things/a%2Fb%20%C3%BC`);
    expect(await thing.json()).toEqual({ thingId: 'a/b ü' });
  });

  it('answers 404 and 405 as JSON', async () => {
    const { port, answered } = await start(routes);
    for (const path of ['/nothing', '/things/', '/things/%E0%A4', '/things/a/b', '/Things']) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(await response.json()).toMatchObject({ error: { code: 'NOT_FOUND' } });
    }
    const response = await fetch(`http://127.0.0.1:${port}/things/1`, { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect(await response.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } });
    expect(answered[0]).toMatchObject({ method: 'GET', route: 'unknown', status: 404 });
  });

  it('answers HEAD as GET without the body, and OPTIONS with what is allowed', async () => {
    const { port } = await start(routes);
    const client = await connect(port);
    await client.send(headOf('HEAD', '/things/7'));
    const head = await client.text('\r\n\r\n');
    expect(head).toContain(`Content-Length: ${'{"thingId":"7"}'.length}\r\n`);
    expect(head.endsWith('\r\n\r\n')).toBe(true);
    const options = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'OPTIONS' });
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe('POST, OPTIONS');
    expect(options.headers.get('content-length')).toBeNull();
  });

  it('ends an answer that never has a body with its head, and goes on with the connection', async () => {
    const unchanged: Route = { method: 'GET', path: '/unchanged', handle: () => ({ status: 304, body: '' }) };
    const { port } = await start([unchanged, ...routes]);
    const client = await connect(port);
    await client.send(
      headOf('GET', '/unchanged'),
      headOf('OPTIONS', '/things'),
      headOf('GET', '/things?q=1'),
    );
    const answers = await client.text('{"q":"1"}');
    expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 304', 'HTTP/1.1 204', 'HTTP/1.1 200']);
    expect(answers.match(/Content-Length: \d+/g)).toEqual(['Content-Length: 9']);
    expect(answers.match(/Content-Type/g)).toHaveLength(1);
  });

  it("tells what the server refuses in the form of the path's own protocol", async () => {
    const formatProblem: ProblemFormat = (code, message, traceId, extras) => ({
      ...problemResponse(code, message, traceId, extras),
      body: JSON.stringify({ told: code }),
    });
    const failing: Route = {
      method: 'POST',
      path: '/own',
      formatProblem,
      handle: () => {
        throw new Error('broken');
      },
    };
    const { port } = await start([failing], { bodyBytesMax: 10, bodyBytesInHandMax: 5 });
    const send = (method: string, body: string | null, encoding = 'identity'): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}/own`, { method, body, headers: { 'Content-Encoding': encoding } });
    const expected = [
      [await send('POST', 'x'.repeat(11)), 413, 'PAYLOAD_TOO_LARGE'],
      [await send('POST', 'x'.repeat(6)), 429, 'RATE_LIMITED'],
      [await send('POST', 'x', 'br'), 415, 'UNSUPPORTED_MEDIA_TYPE'],
      [await send('POST', 'x', 'gzip'), 400, 'VALIDATION_ERROR'],
      [await send('PUT', 'x'), 405, 'METHOD_NOT_ALLOWED'],
      [await send('POST', 'x'), 500, 'INTERNAL'],
    ] as const;
    for (const [response, status, code] of expected) {
      expect([response.status, await response.json()]).toEqual([status, { told: code }]);
    }
    expect(expected[1][0].headers.get('retry-after')).toBe('1');
    expect(expected[4][0].headers.get('allow')).toBe('POST, OPTIONS');
  });

  it('lets a guard answer before the body is read', async () => {
    const guarded: Route = { ...echo, guard: () => jsonResponse(401, { who: 'are you' }) };
    const { port } = await start([guarded]);
    const client = await connect(port);
    await client.send(headOf('POST', '/echo', 'Content-Length: 5000'));
    expect((await client.response()).status).toBe(401);
  });

  it('refuses two lengths', async () => {
    const { port } = await start([echo]);
    const client = await connect(port);
    await client.send(headOf('POST', '/echo', 'Content-Length: 1', 'Content-Length: 2'), 'ab');
    expect((await client.response()).status).toBe(400);
  });
});

function fail(): never {
  throw new TypeError('the secret 4711 was not valid');
}

describe('faults', () => {
  it('of a handler are a 500 with a trace id, and no content in the log or the answer', async () => {
    const { port, logged } = await start([
      { method: 'POST', path: '/sync', handle: fail },
      { method: 'POST', path: '/async', handle: async ({ body }) => (body.length > 0 ? fail() : fail()) },
    ]);
    for (const path of ['/sync', '/async']) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body: 'x' });
      expect(response.status).toBe(500);
      const { error } = (await response.json()) as { error: { code: string; traceId: string } };
      expect(error).toMatchObject({ code: 'INTERNAL', traceId: response.headers.get('x-trace-id') });
      const log = JSON.stringify(logged.pop());
      expect(log).toContain(error.traceId);
      expect(log).toContain('TypeError');
      expect(log + JSON.stringify(error)).not.toContain('4711');
    }
  });

  it('come with the caller’s trace id where it has one', async () => {
    const { port } = await start([echo]);
    const traceOf = async (headers: Record<string, string>): Promise<string | null> =>
      (await fetch(`http://127.0.0.1:${port}/`, { headers })).headers.get('x-trace-id');
    const w3c = '4bf92f3577b34da6a3ce929d0e0e4736';
    expect(await traceOf({ traceparent: `00-${w3c}-00f067aa0ba902b7-01` })).toBe(w3c);
    expect(await traceOf({ 'x-trace-id': 'my-trace_0001' })).toBe('my-trace_0001');
    expect(await traceOf({ 'x-trace-id': 'a b' })).toMatch(/^[0-9a-f]{32}$/);
    expect(await traceOf({ traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` })).not.toBe(
      '0'.repeat(32),
    );
    expect(await traceOf({})).not.toBe(await traceOf({}));
  });
});

describe('aborts', () => {
  it('in the middle of a body leave nothing behind', async () => {
    const { port, server, answered } = await start([echo]);
    for (let round = 0; round < 50; round++) {
      const client = await connect(port);
      await client.send(headOf('POST', '/echo', 'Content-Length: 5000'), Buffer.alloc(round * 90));
      client.destroy();
    }
    await eventually(() => answered.length === 50);
    expect(server.load()).toEqual({ requests: 0, bodyBytes: 0 });
    expect(answered.every(({ status }) => status === 'aborted')).toBe(true);
    const response = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', body: text });
    expect(await response.json()).toEqual(echoOfText);
  });

  it('tell the handler, and its answer goes nowhere', async () => {
    let told = false;
    const { port, server, logged } = await start([
      {
        method: 'POST',
        path: '/wait',
        handle: async ({ signal }) => {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          told = true;
          return jsonResponse(200, { never: 'read' });
        },
      },
    ]);
    const client = await connect(port);
    await client.send(headOf('POST', '/wait', 'Content-Length: 3'), 'abc');
    expect(server.load()).toEqual({ requests: 1, bodyBytes: 3 });
    client.destroy();
    await eventually(() => server.load().requests === 0);
    expect(told).toBe(true);
    expect(server.load().bodyBytes).toBe(0);
    expect(logged).toEqual([]);
  });
});

describe('bounds of the process', () => {
  it('refuse a body that would be one too many, and only that', async () => {
    const { port, server } = await start([echo], { bodyBytesInHandMax: 1_000 });
    const first = await connect(port);
    await first.send(headOf('POST', '/echo', 'Content-Length: 900'), Buffer.alloc(800));
    await eventually(() => server.load().bodyBytes === 800);
    const refused = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', body: Buffer.alloc(300) });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ error: { code: 'RATE_LIMITED' } });
    await first.send(Buffer.alloc(100));
    expect((await first.response()).status).toBe(200);
    const later = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', body: Buffer.alloc(300) });
    expect(later.status).toBe(200);
  });

  it('refuse a request that would be one too many', async () => {
    const { port } = await start([echo], { requestsInHandMax: 1 });
    const first = await connect(port);
    await first.send(headOf('POST', '/echo', 'Content-Length: 2'), 'a');
    const refused = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', body: 'b' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    await first.send('b');
    expect((await first.response()).status).toBe(200);
  });

  it('cut off clients that trickle, and give back what they held', async () => {
    const { port, server } = await start([echo]);
    const body = await connect(port);
    await body.send(headOf('POST', '/echo', 'Content-Length: 50'), 'x');
    const head = await connect(port);
    await head.send('POST /echo HTTP/1.1\r\nHost: localhost\r\n');
    const trickle = setInterval(() => {
      body.socket.write('x');
      head.socket.write('X');
    }, 1_000);
    await Promise.all([body.closed, head.closed]);
    clearInterval(trickle);
    await eventually(() => server.load().requests === 0);
    expect(server.load().bodyBytes).toBe(0);
  });
});

describe('listening and stopping', () => {
  it('says clearly that a port is taken', async () => {
    const { port } = await start([echo]);
    const other = createHttpServer({ routes: [echo], log: { error: () => undefined } });
    await expect(other.listen('127.0.0.1', port, { shared: false })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `cannot listen on 127.0.0.1:${port}: another program listens there already`,
    });
  });

  it('shares a port with others that share it', async () => {
    const port = await freePort();
    for (let count = 0; count < 2; count++) {
      const server = createHttpServer({ routes: [echo], log: { error: () => undefined } });
      servers.push(server);
      expect(await server.listen('127.0.0.1', port, { shared: true })).toBe(port);
    }
  });

  it('finishes requests in hand, then closes every connection', async () => {
    const gate = makeGate();
    const hold: Route = {
      method: 'POST',
      path: '/hold',
      handle: async () => {
        await gate.passed;
        return jsonResponse(200, { done: true });
      },
    };
    const { port, server } = await start([echo, hold]);
    const busy = await connect(port);
    await busy.send(headOf('POST', '/hold', 'Content-Length: 0'));
    const idle = await connect(port);
    await idle.send(headOf('GET', '/nothing'));
    await idle.response();
    const stopped = server.stop();
    expect(server.stop()).toBe(stopped);
    await expect(RawClient.connect(port)).rejects.toThrow('ECONNREFUSED');
    gate.open();
    const response = await busy.response();
    expect(response.status).toBe(200);
    expect(response.headers.get('connection')).toBe('close');
    await Promise.all([stopped, busy.closed, idle.closed]);
  });

  it('answers what was on its way when it was told to stop', async () => {
    const { port, server } = await start([echo]);
    const client = await connect(port);
    for (const isStopping of [false, true]) {
      client.socket.write(`${headOf('POST', '/echo', 'Content-Length: 1')}x`);
      if (isStopping) void server.stop();
      expect((await client.response()).headers.get('connection')).toBe(isStopping ? 'close' : undefined);
    }
    await client.closed;
  });

  it('does not wait for ever', async () => {
    const hang: Route = { method: 'POST', path: '/hang', handle: () => new Promise(() => undefined) };
    const { port, server } = await start([hang], { drainMs: 50 });
    const client = await connect(port);
    await client.send(headOf('POST', '/hang', 'Content-Length: 0'));
    await server.stop();
    await client.closed;
    await expect(client.response()).rejects.toThrow('ended after 0 bytes');
  });
});
