/** What callers meet while Redis or ClickHouse is away, and that all is well afterwards. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alive, commandLine, descendants, eventually, Installation } from './installation.ts';

let tollgate: Installation;

beforeAll(async () => {
  tollgate = await Installation.create({ ACK_TIMEOUT_MS: '3000' });
  await tollgate.start();
  const filters = [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'call' }] }];
  await tollgate.createFeature('calls', { aggregation: { function: 'COUNT' }, filters });
  await tollgate.createFeature('seats');
  await tollgate.provision('acme');
});
afterAll(() => tollgate.remove());

/** The process of the installation whose command line holds the text; redis-server itself, not its shell. */
function processWith(text: string): number {
  const found = descendants(tollgate.pid).find((pid) => {
    const command = commandLine(pid);
    return command.includes(text) && !command.startsWith('/bin/sh');
  });
  if (found === undefined) throw new Error(`no process with ${text}`);
  return found;
}

const events = (...keys: string[]) => ({
  events: keys.map((idempotencyKey) => ({ customerId: 'acme', eventName: 'call', idempotencyKey })),
});
const usage = (idempotencyKey: string) => ({
  usages: [{ customerId: 'acme', featureId: 'seats', value: 1, idempotencyKey }],
});

describe('while Redis is away', () => {
  it('answers 503 QUEUE_UNAVAILABLE, takes nothing, and works again afterwards', async () => {
    const redis = processWith('redis-server');
    process.kill(redis, 'SIGSTOP');
    const refused = await tollgate.send('/api/v1/events', events('stopped'));
    expect(refused.status).toBe(503);
    expect(refused.body.error.code).toBe('QUEUE_UNAVAILABLE');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await fetch(`${tollgate.ingestUrl}/readyz`)).status).toBe(503);
    expect((await fetch(`${tollgate.ingestUrl}/healthz`)).status).toBe(200);
    process.kill(redis, 'SIGCONT');
    await tollgate.ready();
    await eventually(
      async () => (await tollgate.send('/api/v1/events', events('back'))).status === 202,
      'a 202',
    );
    await tollgate.settled();
    expect(await tollgate.totalUsage('acme', 'calls')).toBe('1');
  });

  it('keeps what was acknowledged when redis-server is killed with -9', async () => {
    const before = Number(await tollgate.totalUsage('acme', 'calls'));
    const accepted = await tollgate.send('/api/v1/events', events('k1', 'k2', 'k3'));
    expect(accepted.status).toBe(202);
    const redis = processWith('redis-server');
    process.kill(redis, 'SIGKILL');
    await eventually(() => !alive(redis), 'redis-server to be gone');
    await eventually(
      async () => (await tollgate.send('/api/v1/events', events('k4'))).status === 202,
      'a 202',
    );
    await eventually(
      async () => (await tollgate.send('/api/v1/usage', usage('redis'))).status === 200,
      'an acknowledgement',
    );
    await tollgate.settled();
    await tollgate.ready();
    expect(await tollgate.totalUsage('acme', 'calls')).toBe(String(before + 4));
  });
});

describe('while ClickHouse is away', () => {
  it('still takes events, answers usage with 504 ACK_PENDING, and the repeat with the one acknowledgement', async () => {
    const before = Number(await tollgate.totalUsage('acme', 'calls'));
    const seats = Number(await tollgate.totalUsage('acme', 'seats'));
    const clickhouse = processWith('main.js clickhouse');
    process.kill(clickhouse, 'SIGSTOP');
    const accepted = await tollgate.send('/api/v1/events', events('c1', 'c2'));
    expect(accepted.status).toBe(202);
    const pending = await tollgate.send('/api/v1/usage', usage('clickhouse'));
    expect(pending.status).toBe(504);
    expect(pending.body.error.code).toBe('ACK_PENDING');
    expect(pending.body.error.message).toMatch(/idempotencyKey/);
    process.kill(clickhouse, 'SIGCONT');
    await tollgate.settled();
    await tollgate.ready();
    const repeat = await tollgate.send('/api/v1/usage', usage('clickhouse'));
    expect(repeat.body.data[0]).toMatchObject({
      duplicate: true,
      value: '1',
      currentUsage: String(seats + 1),
    });
    expect(await tollgate.totalUsage('acme', 'calls')).toBe(String(before + 2));
    expect(await tollgate.totalUsage('acme', 'seats')).toBe(String(seats + 1));
  });

  it('loses and doubles nothing when it is killed with -9 in mid-stream', async () => {
    const before = Number(await tollgate.totalUsage('acme', 'calls'));
    const keys = Array.from({ length: 2_000 }, (_, index) => `stream-${index}`);
    for (let start = 0; start < keys.length; start += 100) {
      if (start === 1_000) process.kill(processWith('main.js clickhouse'), 'SIGKILL');
      const answer = await tollgate.send('/api/v1/events', events(...keys.slice(start, start + 100)));
      expect(answer.status).toBe(202);
    }
    await tollgate.settled();
    await tollgate.ready();
    await eventually(
      async () => (await tollgate.totalUsage('acme', 'calls')) === String(before + 2_000),
      'all to be counted',
    );
  });
});

describe('while the aggregate role is away', () => {
  it('goes on where the killed one was', async () => {
    const before = Number(await tollgate.totalUsage('acme', 'calls'));
    for (let round = 0; round < 3; round++) {
      const keys = Array.from({ length: 300 }, (_, index) => `round-${round}-${index}`);
      expect((await tollgate.send('/api/v1/events', events(...keys))).status).toBe(202);
      process.kill(processWith('main.js aggregate'), 'SIGKILL');
      await eventually(() => processWith('main.js aggregate') > 0, 'another one to be started');
    }
    await tollgate.settled();
    expect(await tollgate.totalUsage('acme', 'calls')).toBe(String(before + 900));
  });
});
