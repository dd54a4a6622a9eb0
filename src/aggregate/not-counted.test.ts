import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Feature } from '../catalog/feature.ts';
import type { Meter, MeterCondition } from '../catalog/meter.ts';
import { evaluateMeter } from '../catalog/meter-evaluation.ts';
import { EventBlock, EventBlockBuilder } from '../metering/event-block.ts';
import { NotCountedWatch } from './not-counted.ts';
import { aFeature, anEvent } from './worker.fixture.ts';

/** Few names, some of which are one number written in several ways. */
const name = fc.constantFrom('call', 'other', '1', '1.0', '10e-1');
const condition: fc.Arbitrary<MeterCondition> = fc.oneof(
  fc.record({
    field: fc.constantFrom('eventName', 'path'),
    operation: fc.constantFrom('EQUALS' as const, 'NOT_EQUALS' as const, 'STARTS_WITH' as const),
    value: name,
    values: fc.constant(null),
  }),
  fc.record({
    field: fc.constant('eventName'),
    operation: fc.constant('IN' as const),
    value: fc.constant(null),
    values: fc.array(name, { maxLength: 3 }),
  }),
);
const meter: fc.Arbitrary<Meter> = fc.record({
  aggregation: fc.record({
    function: fc.constantFrom('COUNT' as const, 'SUM' as const, 'UNIQUE' as const),
    field: fc.constantFrom('path', 'bytes', 'eventName'),
  }),
  filters: fc.array(fc.record({ conditions: fc.array(condition, { maxLength: 2 }) }), { maxLength: 2 }),
});
const fact = fc
  .record({
    eventName: name,
    dimensions: fc.dictionary(fc.constantFrom('path', 'bytes'), fc.constantFrom('1', 'x', 'call')),
    decision: fc.constantFrom(0, 0, 1, 2),
  })
  .map(({ dimensions, ...rest }) => ({ ...rest, dimensions: Object.entries(dimensions) }));

function naiveCount(
  features: readonly Feature[],
  facts: readonly (typeof fact extends fc.Arbitrary<infer F> ? F : never)[],
) {
  const counts: Record<string, number> = {};
  for (const { eventName, dimensions, decision } of facts) {
    const texts = new Map(dimensions);
    for (const { refId, meter: each } of decision === 0 ? features : []) {
      const verdict = each === null ? undefined : evaluateMeter(each, eventName, (key) => texts.get(key));
      if (verdict?.outcome !== 'not_counted') continue;
      const key = `${refId}:${verdict.cause}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
  }
  return counts;
}

test('looking only where a meter may match finds what asking every meter of every event finds', () => {
  fc.assert(
    fc.property(
      fc.array(meter, { maxLength: 4 }),
      fc.array(fact, { minLength: 1, maxLength: 8 }),
      (meters, facts) => {
        const features = meters.map((each, index) => aFeature(`f${index}`, { meter: each }));
        const builder = new EventBlockBuilder();
        for (const { eventName, dimensions } of facts)
          builder.append(anEvent('c', 'k', { eventName, dimensions }));
        const counts: Record<string, number> = {};
        const decided = Uint8Array.from(facts, ({ decision }) => decision);
        new NotCountedWatch(features).count(new EventBlock(builder.finish()), decided, counts);
        expect(counts).toEqual(naiveCount(features, facts));
      },
    ),
    { numRuns: 300 },
  );
});
