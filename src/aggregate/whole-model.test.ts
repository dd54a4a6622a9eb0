/**
 * Random histories of everything that happens to usage, and every figure of every door beside the oracle's. A history
 * that fails is named by its seed and path; put into `replayed` they run it again.
 */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { checkpoints } from './checkpoint.ts';
import { WholeSystem, windowMs } from './whole-model.fixture.ts';
import {
  type Account,
  dayMs,
  type Entry,
  type FeatureRule,
  hourMs,
  type MeterRule,
  type Offer,
  type Place,
  type Report,
  spanText,
  WholeOracle,
} from './whole-oracle.fixture.ts';

const replayed: { readonly seed?: number; readonly path?: string } = {};

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** The last of a month, of which February has no such day. */
const start = Date.UTC(2026, 0, 31, 10);
const historyStart = Date.UTC(2026, 0, 1);
const historyDays = 66;
const intervals = Array.from({ length: historyDays }, (_, day) => historyStart + day * dayMs);
const historyEnd = historyStart + historyDays * dayMs;

const offer: Offer = {
  basic: {
    seats: { limit: 12, reset: 'MONTH', according: 'SubscriptionStart' },
    tokens: { limit: 4, reset: 'WEEK', according: 'EveryMonday' },
    calls: { limit: 3, reset: 'DAY' },
    volume: { limit: 900, reset: 'MONTH', according: 'StartOfTheMonth' },
    users: { limit: 2 },
  },
  pro: {
    seats: { limit: 20 },
    tokens: { limit: 7, reset: 'MONTH', according: 'StartOfTheMonth' },
    calls: { limit: 9, reset: 'WEEK', according: 'SubscriptionStart' },
    volume: { limit: null, reset: 'YEAR', according: 'SubscriptionStart' },
    users: { limit: 2, reset: 'HOUR' },
    mean: { limit: 5, isSoft: true, reset: 'WEEK', according: 'EveryMonday' },
  },
};

const meter: fc.Arbitrary<MeterRule> = fc
  .record({
    aggregation: fc.constantFrom('COUNT', 'SUM', 'MAX', 'MIN', 'AVG', 'UNIQUE'),
    eventName: fc.constantFrom('call', 'load'),
    bytesAbove: fc.constantFrom(null, null, '1'),
  })
  .map((rule) => ({ ...rule, field: fieldOf(rule.aggregation) }));

function fieldOf(aggregation: MeterRule['aggregation']): MeterRule['field'] {
  if (aggregation === 'COUNT') return null;
  return aggregation === 'UNIQUE' ? 'user' : 'bytes';
}

const share = fc.double({ min: 0, max: 0.999, noNaN: true });
const bytes = fc.constantFrom(undefined, '0', '1', '-1.5', '0.1', '250', '7.125');
const user = fc.constantFrom(undefined, 'a', 'b', 'c', 'd');
const dimensions = fc
  .record({ bytes, user })
  .map(
    (given) =>
      Object.fromEntries(Object.entries(given).filter(([, text]) => text !== undefined)) as Record<
        string,
        string
      >,
  );
/** How long ago it happened: within the hour, late by days, or a little ahead; at the end of a day, or as it comes. */
const moment = fc.record({
  agoMs: fc.oneof(
    fc.integer({ min: 1, max: hourMs }),
    fc.integer({ min: 1, max: 25 * dayMs }),
    fc.integer({ min: -20 * hourMs, max: -1 }),
  ),
  midnight: fc.constantFrom('before', 'at', null, null, null, null),
});
const report = fc.record({
  customer: fc.nat(2),
  resourceId: fc.constantFrom('', 'r1', 'r2'),
  moment,
  dimensions,
  eventName: fc.constantFrom('call', 'call', 'load'),
  featureId: fc.constantFrom('seats', 'tokens'),
  value: fc.constantFrom('1', '2.5', '-3', '0.001', '14'),
  updateBehavior: fc.constantFrom('DELTA' as const, 'DELTA' as const, 'SET' as const),
  rejectIfExceeded: fc.boolean(),
  /** Sent before: which one; and whether it comes with other content. */
  again: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.record({ which: share, isOther: fc.boolean() }) },
  ),
});
const correction = fc.record({
  which: share,
  isVoid: fc.boolean(),
  moment,
  dimensions,
  value: fc.constantFrom('0', '5', '-0.25'),
});
const anyStep = fc.record({
  stepMs: fc.oneof(fc.integer({ min: 1_000, max: hourMs }), fc.integer({ min: hourMs, max: 4 * dayMs })),
  events: fc.array(report, { minLength: 8, maxLength: 30 }),
  measurements: fc.array(report, { minLength: 4, maxLength: 20 }),
  /** Where the worker dies while it works on this. */
  crash: fc.option(fc.constantFrom(...checkpoints), { freq: 2 }),
  corrections: fc.array(correction, { maxLength: 3 }),
  /** Who goes over to the other plan. */
  plan: fc.option(fc.record({ customer: fc.nat(2) }), { freq: 2 }),
  meter: fc.option(fc.record({ feature: fc.nat(3), meter }), { freq: 2 }),
});
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;
type Asked = typeof report extends fc.Arbitrary<infer T> ? T : never;

class History {
  readonly #clock: ManualClock;
  readonly #system: WholeSystem;
  readonly #oracle: WholeOracle;
  readonly #places: readonly Place[];
  /** What was known at an earlier moment. */
  #known: { readonly at: number; readonly entries: readonly Entry[] } = { at: start, entries: [] };
  #made = 0;

  private constructor(clock: ManualClock, system: WholeSystem, oracle: WholeOracle) {
    this.#clock = clock;
    this.#system = system;
    this.#oracle = oracle;
    this.#places = oracle.accounts.flatMap(({ customerId }) =>
      oracle.features.flatMap((feature) =>
        [null, 'r1', 'r2'].map((resourceId) => ({ customerId, feature, resourceId })),
      ),
    );
  }

  static async open(meters: readonly MeterRule[]): Promise<History> {
    const clock = new ManualClock(start);
    const features: FeatureRule[] = [
      { refId: 'seats', meter: null, divide: null },
      { refId: 'tokens', meter: null, divide: 10n },
      ...['calls', 'volume', 'users', 'mean'].map((refId, at) => {
        return { refId, meter: meters[at] ?? null, divide: refId === 'volume' ? 100n : null };
      }),
    ];
    const account = { plan: 'basic', anchor: start, resetAt: null, site: null };
    const accounts: Account[] = [
      { ...account, customerId: `anna-${randomUUID()}`, subscribed: null, isReset: true },
      { ...account, customerId: `bert-${randomUUID()}`, subscribed: null, isReset: false, site: 'r1' },
      { ...account, customerId: `carl-${randomUUID()}`, subscribed: 'r1', isReset: true },
    ];
    const system = await WholeSystem.open(database, clock);
    await system.offer(features, offer);
    for (const each of accounts) await system.open(each);
    await system.startWorker(null);
    return new History(clock, system, new WholeOracle(accounts, features, offer, windowMs));
  }

  async take({ stepMs, crash, plan, meter: changed, ...step }: Step): Promise<readonly Row[]> {
    this.#clock.advance(stepMs);
    const account = plan && this.#oracle.accounts[plan.customer];
    if (account) await this.#subscribe(account);
    const feature = changed && this.#oracle.features[2 + changed.feature];
    if (changed && feature) {
      feature.meter = changed.meter;
      await this.#system.measureBy(feature, changed.meter);
    }
    const events = this.#reports('EVENT', step.events);
    const measurements = this.#reports('MEASUREMENT', step.measurements);
    const told = await this.#system.report(events, measurements, crash);
    for (const event of events) this.#oracle.report(event);
    const answers = measurements.map(
      (each, at): Row => ['told', at, this.#oracle.report(each), told[at] ?? 'nothing'],
    );
    for (const each of step.corrections) await this.#correct(each);
    return answers;
  }

  /** Of all places what is live now; of some also what ClickHouse has to be asked for. */
  async figures(isRecounted: (place: number) => boolean): Promise<readonly Row[]> {
    const rows = this.#places.map(async (place, at) => [
      ...(await this.#liveRows(place)),
      ...(isRecounted(at) ? await this.#storedRows(place) : []),
    ]);
    const figures = (await Promise.all(rows)).flat();
    this.#known = { at: this.#clock.now() + 500, entries: this.#oracle.entries };
    return figures;
  }

  stop(): Promise<void> {
    return this.#system.stopWorker();
  }

  async #liveRows(place: Place): Promise<Row[]> {
    const now = this.#clock.now();
    const period = this.#oracle.period(place, now);
    const at = placeText(place);
    return [
      [at, 'check', this.#oracle.check(place, now), await this.#system.check(place)],
      [
        at,
        `live in ${spanText(period)}`,
        this.#oracle.usageText(place, period),
        await this.#system.live(place, period),
      ],
    ];
  }

  async #storedRows(place: Place): Promise<Row[]> {
    const at = placeText(place);
    const period = this.#oracle.period(place, this.#clock.now());
    const known = this.#known;
    const history = await this.#system.history(place, intervals, historyEnd);
    const live = await this.#system.live(place, null);
    const total = this.#oracle.usageText(place, null);
    return [
      [at, 'live ever', total, live],
      [at, 'recounted', this.#oracle.usageText(place, period), await this.#system.recount(place, period)],
      [
        at,
        `as of ${known.at}`,
        this.#oracle.usageText(place, null, known.entries),
        await this.#system.recount(place, null, known.at),
      ],
      ...this.#oracle
        .history(place, intervals, historyEnd)
        .map(
          (usage, day): Row => [
            at,
            day === 0 ? 'all of the history' : `day ${day} of the history`,
            usage,
            history[day] ?? 'nothing',
          ],
        ),
    ];
  }

  async #subscribe(account: Account): Promise<void> {
    const plan = account.plan === 'basic' ? 'pro' : 'basic';
    await this.#system.subscribe(account, plan);
    this.#oracle.subscribe(account, plan, this.#clock.now());
  }

  async #correct({ which, isVoid, ...asked }: Step['corrections'][number]): Promise<void> {
    const { entries } = this.#oracle;
    const entry = entries[Math.floor(which * entries.length)];
    if (entry === undefined) return;
    const { value, dimensions: texts } = asked;
    const after = isVoid ? null : { value, dimensions: texts, timestamp: this.#instant(asked.moment) };
    await this.#system.correct(entry, after);
    this.#oracle.correct(entry, after);
  }

  #reports(kind: Report['kind'], asked: readonly Asked[]): readonly Report[] {
    const reports: Report[] = [];
    for (const each of asked) reports.push(this.#report(kind, each, reports));
    return reports;
  }

  /** What is sent again may have been sent just before, in the same batch. */
  #report(kind: Report['kind'], asked: Asked, batch: readonly Report[]): Report {
    const receivedAt = this.#clock.now();
    const sent = [...this.#oracle.entries.map((entry) => entry.report), ...batch].filter(
      (each) => each.kind === kind,
    );
    const first = asked.again === null ? undefined : sent[Math.floor(asked.again.which * sent.length)];
    if (first !== undefined) {
      const other = asked.again?.isOther === true ? { note: 'another' } : {};
      return { ...first, receivedAt, dimensions: { ...first.dimensions, ...other } };
    }
    this.#made += 1;
    const { customer, resourceId, updateBehavior, rejectIfExceeded } = asked;
    return {
      kind,
      customerId: this.#oracle.accounts[customer]?.customerId ?? '',
      resourceId,
      name: kind === 'EVENT' ? asked.eventName : asked.featureId,
      key: `key-${this.#made}`,
      timestamp: this.#instant(asked.moment),
      receivedAt,
      value: asked.value,
      dimensions: asked.dimensions,
      updateBehavior,
      rejectIfExceeded,
    };
  }

  #instant({ agoMs, midnight }: Asked['moment']): number {
    const instant = this.#clock.now() - agoMs;
    if (midnight === null) return instant;
    const day = instant - (instant % dayMs);
    return midnight === 'at' ? day : day - 1;
  }
}

/** Of what, which figure, the oracle's, and the product's. */
type Row = readonly [of: string, figure: string | number, expected: string, actual: string];

function placeText({ customerId, feature, resourceId }: Place): string {
  const { aggregation = 'reported' } = feature.meter ?? {};
  return `${customerId.slice(0, 4)} ${feature.refId} (${aggregation}) of ${resourceId ?? 'all'}`;
}

test('every door tells what the oracle has worked out, whatever has happened', async () => {
  let compared = 0;
  let telling = 0;
  const compare = (rows: readonly Row[]) => {
    expect(rows.filter(([, , expected, actual]) => expected !== actual)).toEqual([]);
    compared += rows.length;
    telling += rows.filter(([, , expected]) => expected !== '0').length;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(meter, { minLength: 4, maxLength: 4 }),
      fc.array(anyStep, { minLength: 9, maxLength: 9 }),
      async (meters, steps) => {
        const history = await History.open(meters);
        try {
          for (const [number, each] of steps.entries()) {
            compare(await history.take(each));
            const isLast = number === steps.length - 1;
            if (number % 2 === 1) compare(await history.figures((place) => place % 4 === (number - 1) / 2));
            if (isLast) compare(await history.figures(() => true));
          }
        } finally {
          await history.stop();
        }
      },
    ),
    // A history is long, and one that is made shorter is another one: it is told as it failed.
    { numRuns: 2, endOnFailure: true, ...replayed },
  );
  expect(compared).toBeGreaterThan(10_000);
  // Days on which nothing happened are figures, too; but not nearly all may be.
  expect(telling).toBeGreaterThan(1_000);
}, 300_000);
