/**
 * Usage on the real engine against a naive count in memory. Each property compares thousands of figures; a
 * query costs some 10–40 ms here, so it asks for as many of them at once as it can.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Meter } from '../catalog/meter.ts';
import { meterLimits } from '../catalog/decode-meter.ts';
import { quantityToText } from '../quantity.ts';
import { ClickhouseUnavailableError, createClickhouseClient } from '../store/clickhouse-client.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageReader } from './clickhouse-usage-reader.ts';
import type { ReportedItem, ReportedQuery, UsageHistory, UsageHistoryQuery, UsageInterval } from './usage.ts';
import { eventsArbitrary, measurementsArbitrary, meterArbitrary } from './usage-arbitraries.fixture.ts';
import {
  changesOf,
  countsEvent,
  featureOf,
  insertEvents,
  insertMeasurements,
  receivedAt,
  scaledToText,
  type StoredEvent,
  textToScaled,
  usageOfEvents,
} from './usage-oracle.fixture.ts';

const dayMs = 86_400_000;
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'];
/** Holds the changes of the clocks in spring of New York and Berlin, and in autumn of Lord Howe. */
const spring = { start: Date.UTC(2024, 2, 1), end: Date.UTC(2024, 3, 14) };
const count: Meter = { aggregation: { function: 'COUNT', field: null }, filters: [] };
const everything: ReportedQuery = {
  customerId: null,
  featureId: null,
  eventName: null,
  from: null,
  to: null,
  after: null,
  before: null,
  end: 'first',
  limit: 1_000,
};

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

function readerOf(meter: Meter | null, of: TestDatabase = database) {
  const feature = featureOf('1', meter);
  const catalog = { feature: (id: string) => Promise.resolve(id === '1' ? feature : undefined) };
  return { feature, reader: new ClickhouseUsageReader(of.client, catalog) };
}

describe('usage of a meter', () => {
  const [events = []] = fc.sample(eventsArbitrary(300, spring.start, spring.end), {
    numRuns: 1,
    seed: 2_024,
  });
  beforeAll(() => insertEvents(database.client, events));

  it('counts the very events that the rules in JavaScript count, and to the same figure', async () => {
    const customers = fc.constantFrom('anna', 'bert', "o'neil");
    const resources = fc.constantFrom('', 'r1');
    await fc.assert(
      fc.asyncProperty(meterArbitrary, customers, resources, async (meter, customerId, resourceId) => {
        const { reader, feature } = readerOf(meter);
        const own = events.filter((event) => event.customerId === customerId);
        const reported = await reader.reported({ ...everything, customerId, featureId: '1' });
        expect(reported.map((item) => item.idempotencyKey).sort()).toEqual(
          own
            .filter((event) => countsEvent(meter, event))
            .map((event) => event.idempotencyKey)
            .sort(),
        );
        const scoped = own.filter((event) => resourceId === '' || event.resourceId === resourceId);
        const usage = await reader.currentUsage({ customerId, feature, resourceId });
        expect(quantityToText(usage)).toBe(usageOfEvents(meter, scoped));
      }),
      { numRuns: 60 },
    );
  });

  it('is divided into intervals and series that each hold the usage of their own events', async () => {
    const queries = fc.record({
      start: fc.integer({ min: spring.start - dayMs, max: spring.end - 1 }),
      length: fc.integer({ min: 1, max: 46 * dayMs }),
      interval: fc.constantFrom<UsageInterval>('HOUR', 'DAY', 'WEEK', 'MONTH'),
      timezone: fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
      groupBy: fc.constantFrom(null, 'a', 'eventName', "k'e\\y"),
    });
    await fc.assert(
      fc.asyncProperty(meterArbitrary, queries, async (meter, { length, ...span }) => {
        const { reader, feature } = readerOf(meter);
        const end = span.start + Math.min(length, span.interval === 'HOUR' ? 5 * dayMs : length);
        const query = { customerId: 'anna', feature, resourceId: '', ...span, end };
        const history = await reader.history(query);
        const own = events.filter((event) => event.customerId === 'anna' && within(event, query));
        const counted = own.filter((event) => countsEvent(meter, event));
        expect(shown(history)).toEqual(
          expectedHistory(history, query, counted, (of) => usageOfEvents(meter, of)),
        );
        const sums = meter.aggregation.function === 'SUM' || meter.aggregation.function === 'COUNT';
        expect(sums ? sumOf(history.periods) : 'no sum').toBe(sums ? shown(history).total : 'no sum');
      }),
      { numRuns: 60 },
    );
  });

  it.each(zones)('by day in %s holds the events of each local date', async (timezone) => {
    const { reader, feature } = readerOf(count);
    const scope = { customerId: 'anna', feature, resourceId: '' };
    const history = await reader.history({ ...scope, ...spring, interval: 'DAY', timezone, groupBy: null });
    const dateOf = new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
    for (const period of history.periods) {
      const date = dateOf.format(period.start);
      const expected = events.filter(
        (event) => event.customerId === 'anna' && dateOf.format(event.timestamp) === date,
      );
      expect([date, quantityToText(period.usage)]).toEqual([date, String(expected.length)]);
    }
  });
});

describe('usage that is reported', () => {
  it('is the fold of SET and DELTA in order, by resource, interval and dimension', async () => {
    const cases = fc.record({
      measurements: measurementsArbitrary(spring.start, spring.end),
      interval: fc.constantFrom<UsageInterval>('HOUR', 'DAY', 'WEEK', 'MONTH'),
      timezone: fc.constantFrom(...zones),
      groupBy: fc.constantFrom(null, 'a'),
      start: fc.integer({ min: spring.start - dayMs, max: spring.start + 3 * dayMs }),
    });
    let customers = 0;
    await fc.assert(
      fc.asyncProperty(cases, async ({ measurements: facts, ...span }) => {
        customers += 1;
        const customerId = `folded-${customers}`;
        const measurements = facts.map((fact) => ({ ...fact, customerId }));
        await insertMeasurements(database.client, measurements);
        const { reader, feature } = readerOf(null);
        for (const resourceId of ['', 'r1']) {
          const scoped = measurements.filter((fact) => resourceId === '' || fact.resourceId === resourceId);
          const usage = await reader.currentUsage({ customerId, feature, resourceId });
          expect(quantityToText(usage)).toBe(sumOfChanges(changesOf(scoped)));
        }
        const query = { customerId, feature, resourceId: '', ...span, end: span.start + 10 * dayMs };
        const history = await reader.history(query);
        const changes = changesOf(measurements.filter((fact) => within(fact, query))).map(
          ({ measurement, change }) => ({ ...measurement, change }),
        );
        expect(shown(history)).toEqual(expectedHistory(history, query, changes, sumOfChanges));
        expect(sumOf(history.periods)).toBe(shown(history).total);
      }),
      { numRuns: 20 },
    );
  });

  it('adds 0.1 ten times up to 1, also before 1970', async () => {
    const tenth = {
      resourceId: '',
      featureId: '1',
      updateBehavior: 'DELTA',
      value: '0.1',
      dimensions: {},
    } as const;
    await insertMeasurements(
      database.client,
      Array.from({ length: 10 }, (_, position) => ({
        ...tenth,
        id: `00000000-0000-4000-9000-00000000000${position}`,
        customerId: 'tenths',
        flush: 1,
        position,
        timestamp: Date.UTC(1950, 0, 1) + position,
      })),
    );
    const { reader, feature } = readerOf(null);
    const usage = await reader.currentUsage({ customerId: 'tenths', feature, resourceId: '' });
    expect(quantityToText(usage)).toBe('1');
  });
});

describe('a history', () => {
  it('of nothing is zero in every interval, with no series when grouped', async () => {
    for (const meter of [null, count, { ...count, aggregation: { function: 'AVG', field: 'a' } } as const]) {
      const { reader, feature } = readerOf(meter);
      const scope = { customerId: 'nobody', feature, resourceId: '' };
      const span = {
        start: spring.start,
        end: spring.start + 3 * dayMs,
        interval: 'DAY',
        timezone: 'UTC',
      } as const;
      expect(quantityToText(await reader.currentUsage(scope))).toBe('0');
      const history = await reader.history({ ...scope, ...span, groupBy: null });
      expect(quantityToText(history.totalUsage)).toBe('0');
      expect(history.periods.map((period) => quantityToText(period.usage))).toEqual(['0', '0', '0']);
      expect(history.series).toEqual([
        { tags: [], points: history.periods.map(({ start, usage }) => ({ timestamp: start, value: usage })) },
      ]);
      expect(await reader.history({ ...scope, ...span, groupBy: 'a' })).toMatchObject({
        series: [],
        truncated: false,
      });
    }
  });

  it('shows the 50 largest series and the rest as other, a dimension called other in it', async () => {
    const customerId = 'many';
    const event = (path: string, key: number): StoredEvent => ({
      customerId,
      resourceId: '',
      eventName: 'request',
      idempotencyKey: String(key),
      timestamp: spring.start + key,
      dimensions: { path },
    });
    // Path n comes n + 2 times; 60 paths, of which 11 are the rest; and 10 events of the path `other`.
    const paths = Array.from({ length: 60 }, (_, n) => Array.from({ length: n + 2 }, () => `/${n}`)).flat();
    const others = Array.from({ length: 100 }, () => 'other');
    await insertEvents(database.client, [...paths, ...others].map(event));
    const { reader, feature } = readerOf(count);
    const span = { start: spring.start, end: spring.end, interval: 'MONTH', timezone: 'UTC' } as const;
    const history = await reader.history({ customerId, feature, resourceId: '', ...span, groupBy: 'path' });
    const labels = history.series.map((series) => series.tags[0]?.value);
    expect(history.truncated).toBe(true);
    expect(labels).toEqual([...Array.from({ length: 49 }, (_, n) => `/${59 - n}`), 'other']);
    const rest = Array.from({ length: 11 }, (_, n) => n + 2).reduce((a, b) => a + b);
    expect(history.series.at(-1)?.points.map((point) => quantityToText(point.value))).toEqual([
      String(rest + others.length),
      '0',
    ]);
  });

  it('takes as many intervals as are allowed', async () => {
    const { reader, feature } = readerOf(count);
    const start = Date.UTC(2023, 4, 1);
    const span = {
      start,
      end: start + 10_000 * 3_600_000,
      interval: 'HOUR',
      timezone: 'Asia/Tokyo',
    } as const;
    const scope = { customerId: 'anna', feature, resourceId: '' };
    const history = await reader.history({ ...scope, ...span, groupBy: null });
    expect(history.periods).toHaveLength(10_000);
    expect(sumOf(history.periods)).toBe(quantityToText(history.totalUsage));
    expect(quantityToText(history.totalUsage)).toBe(quantityToText(await reader.currentUsage(scope)));
  });

  it('takes a meter as large as is allowed', async () => {
    const { filtersMax, conditionsPerFilterMax, valuesPerConditionMax } = meterLimits;
    const orders = Array.from({ length: conditionsPerFilterMax }, (_, n) => ({
      field: `field-${n}`,
      operation: 'NOT_EQUALS',
      value: String(n),
      values: null,
    }));
    const values = Array.from({ length: valuesPerConditionMax }, (_, n) =>
      n % 2 === 0 ? `'${n}` : String(n),
    );
    const filters = Array.from({ length: filtersMax }, () => ({ conditions: orders }));
    const all = { field: 'none', operation: 'IN', value: null, values };
    const meter = { aggregation: count.aggregation, filters: [...filters, { conditions: [all] }] } as Meter;
    const { reader, feature } = readerOf(meter);
    const scope = { customerId: 'many', feature, resourceId: '' };
    expect(Number(quantityToText(await reader.currentUsage(scope)))).toBeGreaterThan(0);
    const span = { ...spring, interval: 'MONTH', timezone: 'UTC', groupBy: 'path' } as const;
    expect((await reader.history({ ...scope, ...span })).truncated).toBe(true);
  });
});

describe('the log of what was reported', () => {
  let own: TestDatabase;
  const base = Date.UTC(1969, 11, 31, 23);
  const [events = []] = fc.sample(eventsArbitrary(40, base, base + 12), { numRuns: 1, seed: 7 });
  const [measurements = []] = fc.sample(measurementsArbitrary(base, base + 8), { numRuns: 1, seed: 9 });
  beforeAll(async () => {
    own = await createTestDatabase();
    await insertEvents(own.client, events);
    await insertEvents(own.client, events.slice(0, 9), 'event_conflicts');
    await insertMeasurements(
      own.client,
      measurements.map((fact) => ({ ...fact, customerId: 'anna' })),
    );
  });
  afterAll(() => own.drop());

  const log = (query: Partial<ReportedQuery>) =>
    readerOf(null, own).reader.reported({ ...everything, ...query });

  it('holds every event, conflict and measurement once, newest first', async () => {
    const items = await log({});
    expect(items).toHaveLength(events.length + 9 + measurements.length);
    expect(new Set(items.map((item) => item.id)).size).toBe(items.length);
    const times = items.map((item) => item.timestamp);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect(items.filter((item) => item.state === 'CONFLICT')).toHaveLength(9);
  });

  it('pages through ties without a gap or a repetition', async () => {
    const whole = await log({});
    for (const limit of [4, 9]) {
      const paged = [];
      for (
        let page = await log({ limit });
        page.length > 0;
        page = await log({ limit, after: page.at(-1) ?? null })
      ) {
        paged.push(...page);
      }
      expect(paged).toEqual(whole);
    }
  }, 60_000);

  it('pages backward from the oldest, and between two places', async () => {
    const whole = await log({});
    const paged: ReportedItem[] = [];
    for (
      let page = await log({ end: 'last', limit: 9 });
      page.length > 0;
      page = await log({ end: 'last', limit: 9, before: page[0] ?? null })
    ) {
      paged.unshift(...page);
    }
    expect(paged).toEqual(whole);
    const [after = null, before = null] = [whole[3], whole[20]];
    expect(await log({ after, before })).toEqual(whole.slice(4, 20));
    expect(await log({ after, before, limit: 5 })).toEqual(whole.slice(4, 9));
    expect(await log({ after, before, end: 'last', limit: 5 })).toEqual(whole.slice(15, 20));
  }, 60_000);

  it('stays right on both sides of 1970 once its queries are compiled', async () => {
    const years = [1950, 1960, 1980, 2000];
    const aged = years.map((year) => ({
      customerId: 'aged',
      resourceId: '',
      eventName: 'birthday',
      idempotencyKey: String(year),
      timestamp: Date.UTC(year, 0),
      dimensions: {},
    }));
    await insertEvents(database.client, aged);
    const { reader } = readerOf(null);
    const yearsOf = async (end: ReportedQuery['end']) =>
      (await reader.reported({ ...everything, customerId: 'aged', end, limit: 3 })).map(
        ({ idempotencyKey }) => idempotencyKey,
      );
    // ClickHouse compiles an aggregation at its fourth run.
    for (let run = 0; run < 6; run++) {
      expect([await yearsOf('first'), await yearsOf('last')]).toEqual([
        ['2000', '1980', '1960'],
        ['1980', '1960', '1950'],
      ]);
    }
  }, 60_000);

  it('tells of each what was reported', async () => {
    const items = await log({});
    const [event] = events;
    const id = `key-0`;
    expect(items.find((item) => item.idempotencyKey === id && item.state === 'COUNTED')).toMatchObject({
      kind: 'EVENT',
      customerId: event?.customerId,
      resourceId: event?.resourceId,
      eventName: event?.eventName,
      featureId: null,
      value: null,
      updateBehavior: null,
      timestamp: event?.timestamp,
      receivedAt,
      dimensions: event?.dimensions,
    });
    for (const fact of measurements) {
      const item = items.find(({ id: itemId }) => itemId === fact.id);
      expect(item).toMatchObject({
        kind: 'MEASUREMENT',
        featureId: '1',
        updateBehavior: fact.updateBehavior,
      });
      expect(item?.value && quantityToText(item.value)).toBe(scaledToText(textToScaled(fact.value)));
    }
  });

  it('is narrowed by customer, event name, time and feature', async () => {
    const items = await log({});
    expect(await log({ customerId: 'anna' })).toEqual(items.filter((item) => item.customerId === 'anna'));
    expect(await log({ eventName: '1.0' })).toEqual(items.filter((item) => item.eventName === '1.0'));
    expect(await log({ from: base + 3, to: base + 6 })).toEqual(
      items.filter((item) => item.timestamp >= base + 3 && item.timestamp < base + 6),
    );
    expect(await log({ featureId: '1' })).toEqual(items.filter((item) => item.kind === 'MEASUREMENT'));
    expect(await log({ featureId: '1', eventName: '1.0' })).toEqual([]);
    expect(await log({ featureId: 'unknown' })).toEqual([]);
    expect(await log({ customerId: "x' OR 1" })).toEqual([]);
  });
});

describe('a ClickHouse that is away', () => {
  it('is a retryable error', async () => {
    const client = createClickhouseClient({ url: 'http://127.0.0.1:1', database: 'none' });
    const feature = featureOf('1', null);
    const reader = new ClickhouseUsageReader(client, { feature: () => Promise.resolve(feature) });
    const asked = reader.currentUsage({ customerId: 'anna', feature, resourceId: '' });
    await expect(asked).rejects.toBeInstanceOf(ClickhouseUnavailableError);
    await client.close();
  });
});

interface Fact {
  readonly timestamp: number;
  readonly eventName?: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

function within(
  { timestamp }: Fact,
  { start, end }: { readonly start: number; readonly end: number },
): boolean {
  return timestamp >= start && timestamp < end;
}

/** Every figure of a history as text; series by their tag, since the order of equals is a matter of taste. */
function shown({ totalUsage, periods, series, truncated }: UsageHistory) {
  return {
    total: quantityToText(totalUsage),
    periods: periods.map((period) => quantityToText(period.usage)),
    starts: periods.map((period) => period.start),
    series: truncated
      ? []
      : series
          .map(({ tags, points }) => ({
            tag: tags[0]?.value ?? null,
            starts: points.map((point) => point.timestamp),
            figures: points.map((point) => quantityToText(point.value)),
          }))
          .sort((a, b) => compareTexts(a.tag, b.tag)),
    truncated,
  };
}

/**
 * The same, counted from the facts of the query's span that count. Of the history it takes over where intervals
 * end, once these are seen to divide the span; whether they are the right ones is `intervals.test.ts`'s matter.
 */
function expectedHistory<F extends Fact>(
  { periods }: UsageHistory,
  query: UsageHistoryQuery,
  facts: readonly F[],
  usage: (facts: readonly F[]) => string,
): ReturnType<typeof shown> {
  const bounds = [query.start, ...periods.map((period) => period.end)];
  const spans = periods.map((_, index) => ({ start: bounds[index] ?? NaN, end: bounds[index + 1] ?? NaN }));
  const figures = (of: readonly F[]) => spans.map((span) => usage(of.filter((fact) => within(fact, span))));
  const starts = bounds.at(-1) === query.end ? bounds.slice(0, -1) : ['intervals do not end with the span'];
  const tags =
    query.groupBy === null ? [null] : [...new Set(facts.map((fact) => tagOf(fact, query.groupBy)))];
  const truncated = tags.length > 50;
  const series = tags.sort(compareTexts).map((tag) => ({
    tag,
    starts: starts as number[],
    figures: figures(tag === null ? facts : facts.filter((fact) => tagOf(fact, query.groupBy) === tag)),
  }));
  return {
    total: usage(facts),
    periods: figures(facts),
    starts: starts as number[],
    series: truncated ? [] : series,
    truncated,
  };
}

function tagOf(fact: Fact, groupBy: string | null): string {
  const text = groupBy === 'eventName' ? fact.eventName : fact.dimensions[groupBy ?? ''];
  return text ?? '';
}

function compareTexts(a: string | null, b: string | null): number {
  return (a ?? '') < (b ?? '') ? -1 : 1;
}

function sumOf(periods: UsageHistory['periods']): string {
  return scaledToText(periods.reduce((sum, { usage }) => sum + textToScaled(quantityToText(usage)), 0n));
}

function sumOfChanges(changes: readonly { readonly change: bigint }[]): string {
  return scaledToText(changes.reduce((sum, { change }) => sum + change, 0n));
}
