import { Registry } from 'prom-client';
import { afterEach, expect, it } from 'vitest';
import { healthRoutes, type ReadinessCheck } from './health.ts';
import { HttpMetrics } from './http-metrics.ts';
import { createHttpServer, type HttpServer } from './uws-server.ts';

const servers: HttpServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function start(checks: readonly ReadinessCheck[]): Promise<string> {
  const registry = new Registry();
  const metrics = new HttpMetrics(registry);
  const server = createHttpServer({
    routes: healthRoutes({ checks, registry, timeoutMs: 20 }),
    log: { error: () => undefined },
    onAnswered: metrics.record,
  });
  metrics.watch(server);
  servers.push(server);
  return `http://127.0.0.1:${await server.listen('127.0.0.1', 0, { shared: false })}`;
}

it('is alive whatever else fails, and ready only when every check passes', async () => {
  let redisAnswers = true;
  const url = await start([
    { name: 'redis', check: async () => (redisAnswers ? 'PONG' : Promise.reject(new Error('secret host'))) },
    { name: 'clickhouse', check: async () => 'Ok.' },
  ]);
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toEqual({ status: 'ready', checks: { redis: 'ok', clickhouse: 'ok' } });
  redisAnswers = false;
  const unready = await fetch(`${url}/readyz`);
  expect(unready.status).toBe(503);
  expect(unready.headers.get('retry-after')).toBe('1');
  expect(await unready.json()).toEqual({ status: 'unready', checks: { redis: 'failed', clickhouse: 'ok' } });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

it('gives up a check that does not answer, and one that throws at once', async () => {
  let signal: AbortSignal | undefined;
  const url = await start([
    {
      name: 'slow',
      check: (given) => {
        signal = given;
        return new Promise(() => undefined);
      },
    },
    {
      name: 'broken',
      check: () => {
        throw new Error('at once');
      },
    },
  ]);
  const response = await fetch(`${url}/readyz`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ checks: { slow: 'timeout', broken: 'failed' } });
  expect(signal?.aborted).toBe(true);
});

it('shows the metrics of the server itself', async () => {
  const url = await start([]);
  await fetch(`${url}/some/private/path`);
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain');
  const text = await response.text();
  expect(text).toContain('tollgate_http_request_seconds_count{method="GET",route="unknown",status="404"} 1');
  expect(text).toContain('tollgate_http_requests_in_hand 1');
  expect(text).not.toContain('private');
});
