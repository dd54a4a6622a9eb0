/** A figure of part of a scope's usage: of a period, of what some flushes stored, of what was received by then. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quantityToText } from '../quantity.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageReader } from './clickhouse-usage-reader.ts';
import { eventsArbitrary, measurementsArbitrary, meterArbitrary } from './usage-arbitraries.fixture.ts';
import {
  changesOf,
  featureOf,
  insertEvents,
  insertMeasurements,
  receivedAt,
  scaledToText,
  usageOfEvents,
} from './usage-oracle.fixture.ts';

const base = Date.UTC(1969, 11, 31, 23);
const periods = fc
  .tuple(fc.integer({ min: -2, max: 50 }), fc.integer({ min: 0, max: 50 }))
  .map(([from, length]) => ({ start: base + from, end: base + from + length }));

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

function readerOf(): ClickhouseUsageReader {
  return new ClickhouseUsageReader(database.client, { feature: () => Promise.resolve(undefined) });
}

function isWithin(
  { timestamp }: { readonly timestamp: number },
  { start, end }: { readonly start: number; readonly end: number },
): boolean {
  return timestamp >= start && timestamp < end;
}

describe('usage of a period', () => {
  it('is the aggregation of the events that happened in it', async () => {
    const [events = []] = fc.sample(eventsArbitrary(200, base, base + 50), { numRuns: 1, seed: 11 });
    await insertEvents(database.client, events);
    const own = events.filter(({ customerId }) => customerId === 'anna');
    await fc.assert(
      fc.asyncProperty(meterArbitrary, periods, async (meter, period) => {
        const scope = { customerId: 'anna', feature: featureOf('1', meter), resourceId: '' };
        const usage = await readerOf().currentUsage(scope, { period });
        expect(quantityToText(usage)).toBe(
          usageOfEvents(
            meter,
            own.filter((event) => isWithin(event, period)),
          ),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('of reported usage is the fold from zero of each resource’s measurements in it', async () => {
    let customers = 0;
    const scope = { feature: featureOf('1', null), resourceId: '' };
    await fc.assert(
      fc.asyncProperty(
        measurementsArbitrary(base, base + 50),
        fc.array(periods, { minLength: 2, maxLength: 2 }),
        fc.integer({ min: 0, max: 6 }),
        async (facts, [period, other], throughFlush) => {
          customers += 1;
          const customerId = `bounded-${customers}`;
          const measurements = facts.map((fact) => ({ ...fact, customerId }));
          await insertMeasurements(database.client, measurements);
          const usage = async (bounds: Parameters<ClickhouseUsageReader['currentUsage']>[1]) =>
            quantityToText(await readerOf().currentUsage({ ...scope, customerId }, bounds));
          for (const span of [period, other]) {
            if (span === undefined) continue;
            const within = measurements.filter((fact) => isWithin(fact, span));
            expect(await usage({ period: span })).toBe(foldOf(within));
            const flushed = within.filter(({ flush }) => flush <= throughFlush);
            expect(await usage({ period: span, throughFlush })).toBe(foldOf(flushed));
          }
          expect(await usage({ period: null })).toBe(foldOf(measurements));
          expect(await usage({ asOf: receivedAt })).toBe(foldOf(measurements));
          expect(await usage({ asOf: receivedAt - 1 })).toBe('0');
        },
      ),
      { numRuns: 30 },
    );
  });
});

function foldOf(measurements: Parameters<typeof changesOf>[0]): string {
  return scaledToText(changesOf(measurements).reduce((sum, { change }) => sum + change, 0n));
}
