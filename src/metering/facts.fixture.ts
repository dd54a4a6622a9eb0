/** Facts for tests: one to vary by hand, and any that the edge may let through. */
import * as fc from 'fast-check';
import { type EventFact, factLimits } from './facts.ts';

export function someEvent(fields: Partial<EventFact> = {}): EventFact {
  return {
    customerId: 'acme',
    resourceId: '',
    eventName: 'http_request',
    idempotencyKey: 'k1',
    source: '',
    timestamp: Date.UTC(2024, 4, 17),
    receivedAt: Date.UTC(2024, 4, 17),
    dimensions: [['bytes', '1']],
    ...fields,
  };
}

/** Any characters, also those that formats and SQL treat as their own, and lengths around a varint's bounds. */
const anyText = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', '\n\n', '\u0000', "'; DROP TABLE events", 'Zürich', '客户', '🧾'),
  },
  { weight: 1, arbitrary: fc.integer({ min: 40, max: 260 }).map((length) => 'é'.repeat(length)) },
);
const anyInstant = fc.oneof(
  fc.constantFrom(factLimits.instantMin, -1, 0, 0x0a0a, 2 ** 32 - 1, 2 ** 32, factLimits.instantMax),
  fc.integer({ min: factLimits.instantMin, max: factLimits.instantMax }),
);

export const anyEvent: fc.Arbitrary<EventFact> = fc.record({
  customerId: anyText,
  resourceId: anyText,
  eventName: anyText,
  idempotencyKey: anyText,
  source: anyText,
  timestamp: anyInstant,
  receivedAt: anyInstant,
  dimensions: fc.uniqueArray(fc.tuple(anyText, anyText), { maxLength: 5, selector: ([key]) => key }),
});
