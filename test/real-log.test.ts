/** The sample access log through the whole of Tollgate: every total must be the file's own. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countTotals, type LogEvent, lineToEvent, readAccessLog } from '../samples/access-log/access-log.ts';
import { type Answer, eventually, Installation } from './installation.ts';

const lines = readAccessLog();
const totals = [...countTotals(lines)];
const isRequest = [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'http_request' }] }];

async function createMeters(tollgate: Installation): Promise<void> {
  await tollgate.createFeature('requests', { aggregation: { function: 'COUNT' }, filters: isRequest });
  await tollgate.createFeature('bytes', {
    aggregation: { function: 'SUM', field: 'bytes' },
    filters: isRequest,
  });
  await tollgate.createFeature('paths', {
    aggregation: { function: 'UNIQUE', field: 'path' },
    filters: isRequest,
  });
}

/** Provisions many customers with one document each thirty. */
async function provisionAll(tollgate: Installation, addresses: readonly string[]): Promise<void> {
  for (let start = 0; start < addresses.length; start += 16) {
    await Promise.all(addresses.slice(start, start + 16).map((address) => tollgate.provision(address)));
  }
}

/** The figures of one customer as GraphQL answers them now. */
async function figures(tollgate: Installation, address: string) {
  const [requests, bytes, paths] = await Promise.all(
    ['requests', 'bytes', 'paths'].map((feature) => tollgate.totalUsage(address, feature)),
  );
  return { requests: Number(requests), bytes: Number(bytes), paths: Number(paths) };
}

/** The busiest customers and a spread of the others; all of them together are compared by the sums below. */
const compared = totals
  .toSorted(([, a], [, b]) => b.requests - a.requests)
  .filter((_, rank) => rank < 20 || rank % 25 === 0);

type Form = (tollgate: Installation, events: readonly LogEvent[]) => Promise<Answer>;

/** The forms that one call can take; the first event alone goes where a form holds only one. */
const forms: readonly Form[] = [
  (tollgate, events) => tollgate.send('/api/v1/events', { events }),
  (tollgate, events) => tollgate.send('/api/v1/events', events),
  (tollgate, events) =>
    tollgate.send('/api/v1/events', events.map((event) => JSON.stringify(event)).join('\n'), {
      'content-type': 'application/x-ndjson',
    }),
  (tollgate, events) =>
    tollgate.send('/api/v1/events', gzipSync(JSON.stringify({ events })), { 'content-encoding': 'gzip' }),
];

async function sendMixed(
  tollgate: Installation,
  events: readonly LogEvent[],
  pick: () => number,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < events.length) {
      const size = 1 + (pick() % 300);
      const part = events.slice(next, next + size);
      next += size;
      const form = forms[pick() % forms.length] ?? expect.unreachable();
      const answer = await form(tollgate, part);
      expect(answer).toMatchObject({ status: 202, body: { data: { accepted: part.length, rejected: [] } } });
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}

/** Shuffled, and a tenth of it twice, from one seed that a failure prints. */
function shuffledWithRepeats(seed: number): { events: LogEvent[]; pick: () => number } {
  const [order = []] = fc.sample(fc.shuffledSubarray([...lines.keys()], { minLength: lines.length }), {
    seed,
    numRuns: 1,
  });
  const sent = order.flatMap((index, place) =>
    place % 10 === 0 ? [index, order[(place * 7) % order.length] ?? index] : [index],
  );
  const sizes = fc.sample(fc.nat(), { seed, numRuns: 2_000 });
  let place = 0;
  return {
    events: sent.map((index) => lineToEvent(lines[index] ?? expect.unreachable())),
    pick: () => sizes[place++ % sizes.length] ?? 0,
  };
}

describe('the access log, shuffled, a tenth of it twice, in mixed forms', () => {
  let tollgate: Installation;

  beforeAll(async () => {
    tollgate = await Installation.create();
    await tollgate.start();
  });
  afterAll(() => tollgate.remove());

  it('counts every line once, also for customers who are provisioned afterwards', {
    timeout: 180_000,
  }, async () => {
    const seed = Date.now() % 2 ** 31;
    const addresses = totals.map(([address]) => address);
    await createMeters(tollgate);
    await provisionAll(tollgate, addresses.slice(0, addresses.length / 2));
    const { events, pick } = shuffledWithRepeats(seed);
    await sendMixed(tollgate, events, pick);
    await provisionAll(tollgate, addresses.slice(addresses.length / 2));
    await tollgate.settled();

    for (const [address, total] of compared) {
      expect(await figures(tollgate, address), `customer ${address}, seed ${seed}`).toEqual(total);
    }
    const states = await Promise.all(
      ['accepted', 'stored', 'duplicate'].map((state) =>
        tollgate.metric('tollgate_events', `state="${state}"`),
      ),
    );
    expect(states, `seed ${seed}`).toEqual([events.length, lines.length, events.length - lines.length]);
  });
});

describe('the access log through three kill -9 of the whole process tree', () => {
  let tollgate: Installation;

  beforeAll(async () => {
    tollgate = await Installation.create();
    await tollgate.start();
  });
  afterAll(() => tollgate.remove());

  it('loses and doubles nothing when only what was not acknowledged is sent again', {
    timeout: 240_000,
  }, async () => {
    await createMeters(tollgate);
    await tollgate.createFeature('bytes-reported');
    await provisionAll(
      tollgate,
      compared.map(([address]) => address),
    );

    const calls = [...eventCalls(), ...usageCalls()];
    const waiting = new Set(calls);
    const killAfter = [0.25, 0.5, 0.75].map((share) => Math.floor(calls.length * share));
    while (waiting.size > 0) {
      const target = killAfter[0];
      const sending = sendUntilDown(tollgate, waiting);
      if (target === undefined) {
        await sending;
        continue;
      }
      await eventually(() => calls.length - waiting.size >= target, 'a quarter to be acknowledged');
      killAfter.shift();
      await tollgate.killAll();
      await sending;
      await tollgate.start();
    }
    await tollgate.settled();

    for (const [address, total] of compared) {
      expect(await figures(tollgate, address), `customer ${address}`).toEqual(total);
      expect(await tollgate.totalUsage(address, 'bytes-reported')).toBe(String(total.bytes));
    }
    expect(await tollgate.metric('tollgate_events', 'state="dead_lettered"')).toBe(0);
  });
});

interface Call {
  readonly path: string;
  readonly body: unknown;
}

function eventCalls(): Call[] {
  return chunks(lines, 40).map((part) => ({
    path: '/api/v1/events',
    body: { events: part.map(lineToEvent) },
  }));
}

/** The same bytes as calculated usage, for the customers that are compared: acknowledged, so also read back. */
function usageCalls(): Call[] {
  const customers = new Set(compared.map(([address]) => address));
  const usages = lines
    .filter((line) => customers.has(line.address))
    .map((line) => ({
      customerId: line.address,
      featureId: 'bytes-reported',
      value: line.bytes,
      createdAt: line.timestamp,
      idempotencyKey: `line-${line.number}`,
    }));
  return chunks(usages, 40).map((part) => ({ path: '/api/v1/usage', body: { usages: part } }));
}

/** Sends what waits, from a few lanes; a call leaves the set once it is acknowledged, and stays when it failed. */
async function sendUntilDown(tollgate: Installation, waiting: Set<Call>): Promise<void> {
  const queue = [...waiting][Symbol.iterator]();
  let down = false;
  const lane = async (): Promise<void> => {
    for (const call of queue) {
      if (down) return;
      const status = await tollgate.send(call.path, call.body).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200 || status === 202) waiting.delete(call);
      else if (status === 0) down = true;
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
