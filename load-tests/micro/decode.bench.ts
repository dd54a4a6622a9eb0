/** From the bytes of a request to facts in columns. */
import { bench, do_not_optimize, group } from 'mitata';
import { decodeEventsBody } from '../../src/ingest/decode-events.ts';
import { decodeUsagesBody } from '../../src/ingest/decode-usages.ts';
import { scanEventsBody } from '../../src/ingest/scan-events.ts';
import { parseQuantity, quantityToText, zeroQuantity } from '../../src/quantity.ts';
import { stageBodies } from '../stage-bodies.ts';
import { guardedEvents } from '../stage-decode.ts';
import { inTurn } from './in-turn.ts';

const json = 'application/json';
const now = Date.now();

for (const size of [1, 100]) {
  const bodies = stageBodies(size, Math.ceil(2_000 / size), 3);
  group(`a body of ${size}`, () => {
    const next = inTurn(bodies);
    bench(`scan ${size}`, () => do_not_optimize(scanEventsBody(next(), json, {}, now)));
    bench(`decode ${size}`, () => do_not_optimize(decodeEventsBody(next(), json, {}, now)));
    bench(`JSON.parse and guard ${size}`, () => do_not_optimize(guardedEvents(next())));
  });
}

group('a measurement', () => {
  const usage = { customerId: 'customer-1', featureId: 'seats', value: 1.25, idempotencyKey: 'k-1' };
  const body = Buffer.from(JSON.stringify({ usages: [usage] }));
  bench('decode usage', () => do_not_optimize(decodeUsagesBody(body, json, now)));
  bench('parse quantity', () => do_not_optimize(parseQuantity('1234.5678')));
  const quantity = parseQuantity('1234.5678') ?? zeroQuantity;
  bench('quantity to text', () => do_not_optimize(quantityToText(quantity)));
});
