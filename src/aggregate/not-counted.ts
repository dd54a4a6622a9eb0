/**
 * Events that a meter's filters match but that carry no usable field: they do not count, and must show (contract,
 * 5.6; I4). Usage itself is computed by ClickHouse when it is asked for, so this looks at as few events as it can.
 */
import type { Feature } from '../catalog/feature.ts';
import type { Meter } from '../catalog/meter.ts';
import {
  eventNameField,
  notCountedTest,
  type NotCountedCause,
  type TextOf,
} from '../catalog/meter-evaluation.ts';
import type { EventBlock } from '../metering/event-block.ts';
import { decisions } from './decide.ts';
import { MetersByName } from './meters-by-name.ts';

interface WatchedMeter {
  readonly refId: string;
  readonly meter: Meter;
  readonly test: (textOf: TextOf) => NotCountedCause | undefined;
}

export class NotCountedWatch {
  readonly #meters: MetersByName<WatchedMeter>;
  /** Fields as the block compares them; as many as meters name. */
  readonly #fieldBytes = new Map<string, Buffer>();

  constructor(features: readonly Feature[]) {
    const watched = features.flatMap(({ refId, meter }) => {
      const field = meter?.aggregation.field ?? null;
      // COUNT needs no field, and every event has a name.
      return meter === null || field === null || meter.aggregation.function === 'COUNT'
        ? []
        : [{ refId, meter, test: notCountedTest(meter) }];
    });
    this.#meters = new MetersByName(watched);
  }

  /** Adds the block's counted events without a usable field to `counts`, under `<feature>:<cause>`. */
  count(block: EventBlock, decided: Uint8Array, counts: Record<string, number>): void {
    if (this.#meters.isEmpty) return;
    let row = 0;
    let eventName = '';
    const textOf = (field: string): string | undefined =>
      field === eventNameField ? eventName : block.dimension(row, this.#bytesOf(field));
    for (; row < block.count; row += 1) {
      if (decided[row] !== decisions.counts) continue;
      eventName = block.text('event_name', row);
      for (const { refId, test } of this.#meters.of(eventName)) {
        const cause = test(textOf);
        if (cause === undefined) continue;
        const key = `${refId}:${cause}`;
        counts[key] = (counts[key] ?? 0) + 1;
      }
    }
  }

  #bytesOf(key: string): Buffer {
    let bytes = this.#fieldBytes.get(key);
    if (bytes === undefined) {
      bytes = Buffer.from(key);
      this.#fieldBytes.set(key, bytes);
    }
    return bytes;
  }
}
