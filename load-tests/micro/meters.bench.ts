/** Ten metered features over one event after another, as live counters are kept. */
import { bench, do_not_optimize, group } from 'mitata';
import { MetersByName } from '../../src/aggregate/meters-by-name.ts';
import type { Meter } from '../../src/catalog/meter.ts';
import { evaluateMeter } from '../../src/catalog/meter-evaluation.ts';
import { EventBlock } from '../../src/metering/event-block.ts';
import { addQuantities, parseQuantity, zeroQuantity } from '../../src/quantity.ts';
import { transformUnits } from '../../src/usage/unit-transformation.ts';
import { meteredFeatures } from '../metered-features.ts';
import { sealedBatches } from '../stage-bodies.ts';

const rows = 1_000;
const block = new EventBlock(sealedBatches(rows, 9).next().value);
const keys = new Map<string, Buffer>();

function bytesOf(key: string): Buffer {
  const known = keys.get(key) ?? Buffer.from(key);
  keys.set(key, known);
  return known;
}

group(`${meteredFeatures.length} meters over ${rows} events`, () => {
  // As the API takes them, which leaves out what is null.
  const meters = meteredFeatures.map(({ meter }) => ({ meter: meter as unknown as Meter }));
  const byName = new MetersByName(meters);
  bench('match and count', () => {
    for (let row = 0; row < rows; row += 1) {
      const eventName = block.text('event_name', row);
      const dimension = (key: string) => block.dimension(row, bytesOf(key));
      for (const { meter } of byName.of(eventName))
        do_not_optimize(evaluateMeter(meter, eventName, dimension));
    }
  });
});

group('exact amounts', () => {
  const a = parseQuantity('123456.789') ?? zeroQuantity;
  const b = parseQuantity('0.000321') ?? zeroQuantity;
  bench('add', () => do_not_optimize(addQuantities(a, b)));
  bench('transform units', () => do_not_optimize(transformUnits(a, { divide: '1000', round: 'UP' })));
});
