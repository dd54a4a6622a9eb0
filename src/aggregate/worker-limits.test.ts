/** Usage periods and limits of calculated usage, as its reporters and ClickHouse see them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { EffectiveEntitlement } from '../entitlements/entitlement.ts';
import { type ResetRule, usagePeriodAt } from '../entitlements/usage-period.ts';
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { quantityToText } from '../quantity.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageReader } from '../usage/clickhouse-usage-reader.ts';
import type { CheckpointName } from './checkpoint.ts';
import { aFeature, aGrant, aMeasurement, dayMs, WorkerWorld } from './worker.fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const at = (text: string): number => Date.parse(text);
const iso = (instant: number): string => new Date(instant).toISOString();

/** One customer that uses `seats`. */
async function world(unitTransformation: Parameters<typeof aFeature>[1] = {}) {
  const opened = await WorkerWorld.open(database);
  const customer = `customer-${randomUUID()}`;
  const feature = aFeature('seats', unitTransformation);
  opened.customers.add(customer);
  opened.features.push(feature);
  const reader = new ClickhouseUsageReader(database.client, { feature: () => Promise.resolve(feature) });
  return {
    world: opened,
    measured: (value: string, more: Partial<MeasurementFact> = {}) => aMeasurement(customer, value, more),
    history: async (start: number, end: number, resourceId = ''): Promise<string> => {
      const span = { start, end, interval: 'MONTH', timezone: 'UTC', groupBy: null } as const;
      const { totalUsage } = await reader.history({ customerId: customer, feature, resourceId, ...span });
      return quantityToText(totalUsage);
    },
    stored: () => opened.storedKeys(customer, 'measurements'),
  };
}

/** Monthly from the last of January, unless told otherwise. */
function periodic(limit: string | null, now: number, rule: Partial<ResetRule> = {}): EffectiveEntitlement {
  const whole: ResetRule = { resetPeriod: 'MONTH', accordingTo: 'SubscriptionStart', ...rule };
  return aGrant(limit, {
    usagePeriod: usagePeriodAt(whole, { usageAnchor: at('2026-01-31T10:00:00Z'), usageResetAt: null }, now),
  });
}

const shown = (outcomes: readonly MeasurementOutcome[]) =>
  outcomes.map((each) =>
    'error' in each ? `${each.error.code} ${each.error.currentUsage}` : each.currentUsage,
  );

test('an acknowledgement tells limit and period, and usage of that period alone; a late one counts in its own', async () => {
  const { world: own, measured, history } = await world();
  own.granted = () => periodic('10', at('2026-05-20T00:00:00Z'));
  await own.startedWorker();
  const [start, end] = [at('2026-04-30T10:00:00Z'), at('2026-05-31T10:00:00Z')];
  const outcomes = await own.report([
    measured('5', { timestamp: start - 1 }),
    measured('3', { timestamp: start }),
    measured('4', { timestamp: at('2026-05-20T00:00:00Z') }),
    measured('100', { timestamp: end }),
    measured('0.5', { timestamp: end - 1 }),
  ]);
  expect(shown(outcomes)).toEqual(['0', '3', '7', '7', '7.5']);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      usageLimit: '10',
      usagePeriodStart: iso(start),
      usagePeriodEnd: iso(end),
      nextResetDate: iso(end),
    });
  }
  expect(await history(start, end)).toBe('7.5');
  expect(await history(at('2026-03-31T10:00:00Z'), start)).toBe('5');
  expect(await history(end, end + dayMs)).toBe('100');
});

test('a SET has its place within its period, and says nothing about the next one', async () => {
  const { world: own, measured, history } = await world();
  own.granted = () => periodic('10', at('2026-05-20T00:00:00Z'));
  const worker = await own.startedWorker();
  const start = at('2026-04-30T10:00:00Z');
  const set = (value: string, timestamp: number) => measured(value, { timestamp, updateBehavior: 'SET' });
  const first = await own.report([
    set('50', start - 10),
    measured('2', { timestamp: start + 20 }),
    measured('1', { timestamp: start + 5 }),
    set('7', start + 10),
  ]);
  expect(shown(first)).toEqual(['0', '2', '3', '9']);
  // Between the SET and the DELTA that are stored, then before both, then in the period before.
  expect(shown(await own.report([set('20', start + 15)]))).toEqual(['22']);
  await worker.stop();
  await own.startedWorker();
  expect(shown(await own.report([set('0', start + 2), set('1', start - 5)]))).toEqual(['22', '22']);
  expect(shown(await own.report([set('4', start + 17), set('6', start + 20)]))).toEqual(['6', '6']);
  expect(await history(start, start + dayMs)).toBe('6');
  expect(await history(start - dayMs, start)).toBe('1');
});

test('usage starts from zero when the period ends between two flushes, whatever lies ahead in time', async () => {
  const { world: own, measured } = await world();
  const clock = new ManualClock(at('2026-06-14T22:00:00Z'));
  own.granted = () => periodic('10', clock.now(), { resetPeriod: 'WEEK', accordingTo: 'EveryMonday' });
  await own.startedWorker();
  const monday = at('2026-06-15T00:00:00Z');
  const [sunday] = await own.report([measured('4', { timestamp: monday - 1 })]);
  expect(sunday).toMatchObject({ currentUsage: '4', usagePeriodEnd: iso(monday) });
  // Ahead of its time, it belongs to the next period already.
  expect(shown(await own.report([measured('6', { timestamp: monday + 5 })]))).toEqual(['4']);
  clock.advance(2 * 3_600_000);
  const [next] = await own.report([measured('1', { timestamp: monday + 9 })]);
  expect(next).toMatchObject({
    currentUsage: '7',
    usagePeriodStart: iso(monday),
    usagePeriodEnd: iso(monday + 7 * dayMs),
  });
  const late = measured('8', { timestamp: monday - 2 });
  expect(shown(await own.report([late]))).toEqual(['7']);
});

test('usage is told of whom the limit is for: of a resource with one of its own, else of the whole customer', async () => {
  const { world: own, measured, history } = await world();
  const now = at('2026-05-20T00:00:00Z');
  const ofCustomer = periodic('100', now, { accordingTo: 'StartOfTheMonth' });
  own.granted = (_, resourceId) =>
    resourceId === 'site' ? { ...periodic('10', now), usageResourceId: 'site' } : ofCustomer;
  const worker = await own.startedWorker();
  const [april, may] = [at('2026-04-30T12:00:00Z'), at('2026-05-02T00:00:00Z')];
  const first = await own.report([
    measured('3', { timestamp: april, resourceId: 'site' }),
    measured('4', { timestamp: may, resourceId: 'site' }),
    measured('20', { timestamp: may }),
    measured('5', { timestamp: may, resourceId: 'other' }),
    measured('1', { timestamp: may }),
  ]);
  expect(shown(first)).toEqual(['3', '7', '24', '29', '30']);
  expect(first.map((told) => ('error' in told ? '' : told.usageLimit))).toEqual([
    '10',
    '10',
    '100',
    '100',
    '100',
  ]);
  const [mayStart, mayEnd] = [at('2026-05-01T00:00:00Z'), at('2026-06-01T00:00:00Z')];
  expect(await history(mayStart, mayEnd)).toBe('30');
  expect(await history(mayStart, mayEnd, 'other')).toBe('5');
  const flushes = [measured('1', { timestamp: may, resourceId: 'site' }), measured('1', { timestamp: may })];
  for (const [index, flush] of flushes.entries()) {
    expect(shown(await own.report([flush]))).toEqual([['8', '32'][index]]);
  }
  await worker.stop();
  await own.startedWorker();
  const last = [measured('1', { timestamp: may }), measured('1', { timestamp: april, resourceId: 'site' })];
  expect(shown(await own.report(last))).toEqual(['33', '9']);
});

test('usage is told in the units of the feature, which its limit is in, and counted in its own', async () => {
  const unitTransformation = {
    divide: '1000',
    round: 'UP',
    featureUnits: null,
    featureUnitsPlural: null,
  } as const;
  const { world: own, measured } = await world({ unitTransformation });
  own.granted = () => aGrant('2');
  await own.startedWorker();
  const reject = { rejectIfExceeded: true };
  const outcomes = await own.report([
    measured('1', reject),
    measured('998.5', reject),
    measured('1001', reject),
    measured('999.5', reject),
    measured('1', reject),
    measured('0.5', { updateBehavior: 'SET' }),
  ]);
  expect(shown(outcomes)).toEqual(['1', '1', 'ENTITLEMENT_LIMIT_EXCEEDED 1', '2', '2', '1']);
});

const reject = { rejectIfExceeded: true };

test('past a hard limit nothing is recorded where that is asked for, and what does not raise usage is let in', async () => {
  const { world: own, measured, stored } = await world();
  own.granted = () => aGrant('100');
  await own.startedWorker();
  const outcomes = await own.report([
    measured('60', reject),
    measured('60', reject),
    measured('40', reject),
    measured('0.001', reject),
    measured('-1', reject),
    measured('1', reject),
    measured('101', { ...reject, updateBehavior: 'SET' }),
    measured('50'),
    measured('1', reject),
    measured('-10', reject),
    measured('0', reject),
    measured('120', { ...reject, updateBehavior: 'SET' }),
    measured('99', { ...reject, updateBehavior: 'SET' }),
  ]);
  const exceeded = (usage: string) => `ENTITLEMENT_LIMIT_EXCEEDED ${usage}`;
  expect(shown(outcomes)).toEqual([
    '60',
    exceeded('60'),
    '100',
    exceeded('100'),
    '99',
    '100',
    exceeded('100'),
    '150',
    exceeded('150'),
    '140',
    '140',
    '120',
    '99',
  ]);
  expect(outcomes[1]).toMatchObject({
    error: { usageLimit: '100', message: expect.stringContaining('100') },
  });
  expect(await own.settled()).toMatchObject({ stored: 9, refused: 4, duplicate: 0 });
  expect(await stored()).toHaveLength(9);
});

test('only a hard limit refuses: none granted, unlimited and soft ones record, and a limit of 0 lets nothing in', async () => {
  const { world: own, measured } = await world();
  const grants = {
    soft: aGrant('1', { hasSoftLimit: true }),
    unlimited: aGrant(null),
    zero: aGrant('0', { usageResourceId: 'zero' }),
  };
  own.granted = (_, resourceId) =>
    grants[resourceId as keyof typeof grants] ?? { deniedReason: 'NoActiveSubscription' };
  await own.startedWorker();
  const resources = ['', 'soft', 'unlimited', 'zero'];
  const outcomes = await own.report(resources.map((resourceId) => measured('5', { resourceId, ...reject })));
  expect(shown(outcomes)).toEqual(['5', '10', '15', 'ENTITLEMENT_LIMIT_EXCEEDED 0']);
  expect(outcomes).toMatchObject([{ usageLimit: null }, { usageLimit: '1' }, { usageLimit: null }, {}]);
});

test('a limit of the customer counts what every resource uses, one of a resource only its own', async () => {
  const { world: own, measured } = await world();
  own.granted = (_, resourceId) => aGrant('10', { usageResourceId: resourceId === 'site' ? 'site' : null });
  await own.startedWorker();
  const outcomes = await own.report([
    measured('9', { resourceId: 'a', ...reject }),
    measured('2', { resourceId: 'b', ...reject }),
    measured('1', { resourceId: 'b', ...reject }),
    measured('8', { resourceId: 'site', ...reject }),
    measured('3', { resourceId: 'site', ...reject }),
    measured('1', reject),
  ]);
  const exceeded = (usage: string) => `ENTITLEMENT_LIMIT_EXCEEDED ${usage}`;
  expect(shown(outcomes)).toEqual(['9', exceeded('9'), '10', '8', exceeded('8'), exceeded('18')]);
});

test('of 200 that come at once exactly as many are counted as the limit has room for', async () => {
  const { world: own, measured, history, stored } = await world();
  own.granted = () => aGrant('100');
  await own.startedWorker({ limits: { rowsMax: 7 } });
  const now = Date.now();
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      own.report([measured('1', { timestamp: now + (index % 5), ...reject })], 30_000),
    ),
  );
  const counted = shown(outcomes.flat()).filter((usage) => !usage?.startsWith('ENTITLEMENT'));
  expect(counted.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  expect(await own.settled()).toMatchObject({ accepted: 200, stored: 100, refused: 100 });
  expect(await history(now - dayMs, now + dayMs)).toBe('100');
  expect(await stored()).toHaveLength(100);
});

test('one that was refused claims nothing: sent again under its key it counts once there is room', async () => {
  const { world: own, measured } = await world();
  let limit = '1';
  own.granted = () => aGrant(limit);
  await own.startedWorker();
  const seat = measured('2', reject);
  expect(shown(await own.report([seat, seat]))).toEqual(Array(2).fill('ENTITLEMENT_LIMIT_EXCEEDED 0'));
  limit = '2';
  expect(await own.report([seat, seat])).toMatchObject([
    { currentUsage: '2', duplicate: false },
    { currentUsage: '2', duplicate: true },
  ]);
});

test('a repeat is answered as the first time, whatever was granted since, also after a restart', async () => {
  const { world: own, measured } = await world();
  own.granted = () => periodic('10', at('2026-05-20T00:00:00Z'));
  const worker = await own.startedWorker();
  const seat = measured('2', { timestamp: at('2026-05-20T00:00:00Z'), ...reject });
  const [first] = await own.report([seat]);
  expect(first).toMatchObject({ currentUsage: '2', usageLimit: '10', duplicate: false });
  await own.report([measured('5', { timestamp: at('2026-05-20T00:00:00Z') })]);
  own.granted = () => aGrant('1');
  expect(await own.report([seat])).toEqual([{ ...first, duplicate: true }]);
  await worker.stop();
  await own.startedWorker();
  expect(await own.report([seat])).toEqual([{ ...first, duplicate: true }]);
});

test.each<CheckpointName>(['afterBegin', 'afterEvents', 'afterMeasurements', 'afterReply'])(
  'a flush that is redone after a crash %s keeps to what was granted when it was decided',
  async (point) => {
    const { world: own, measured, history } = await world();
    const now = at('2026-05-20T00:00:00Z');
    own.granted = () => periodic('10', now);
    const history0 = await own.startedWorker();
    await own.report([measured('4', { timestamp: now }), measured('90', { timestamp: now - 40 * dayMs })]);
    await history0.stop();
    const victim = own.worker({
      checkpoint: (name) => {
        if (name === point) throw new Error('an accident');
      },
    });
    const facts = ['5', '2', '1'].map((value) => measured(value, { timestamp: now, ...reject }));
    const answered = own.report(facts);
    await victim.start();
    expect(await victim.ended()).toMatchObject({ reason: 'failed' });
    own.granted = () => aGrant('1000', { usagePeriod: { start: 0, end: now, anchor: 0 } });
    await own.startedWorker();
    const outcomes = await answered;
    expect(shown(outcomes)).toEqual(['9', 'ENTITLEMENT_LIMIT_EXCEEDED 9', '10']);
    expect(outcomes).toMatchObject([
      { usageLimit: '10' },
      { error: { usageLimit: '10' } },
      { usageLimit: '10' },
    ]);
    expect(await own.settled()).toMatchObject({ stored: 4, refused: 1 });
    expect(await history(now - dayMs, now + dayMs)).toBe('10');
    const [repeated] = await own.report(facts.slice(0, 1));
    expect(repeated).toEqual({ ...outcomes[0], duplicate: true });
    // From now on the new entitlement holds.
    expect(await own.report([measured('1', { timestamp: now })])).toMatchObject([
      { currentUsage: '90', usageLimit: '1000' },
    ]);
  },
);
