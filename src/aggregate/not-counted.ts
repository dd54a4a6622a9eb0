/**
 * Events that a meter's filters match but that carry no usable field: they do not count, and must show (contract,
 * 5.6; I4). Usage itself is computed by ClickHouse when it is asked for, so this looks at as few events as it can.
 */
import type { Feature } from '../catalog/feature.ts';
import type { Meter, MeterFilter } from '../catalog/meter.ts';
import { evaluateMeter, eventNameField } from '../catalog/meter-evaluation.ts';
import type { EventBlock } from '../metering/event-block.ts';
import { parseQuantity } from '../quantity.ts';
import { decisions } from './decide.ts';

interface WatchedMeter {
  readonly refId: string;
  readonly meter: Meter;
}

export class NotCountedWatch {
  /** Meters by an event name that their filters require. */
  readonly #byName = new Map<string, WatchedMeter[]>();
  /** Meters that any event may match. */
  readonly #any: WatchedMeter[] = [];
  /** Fields as the block compares them; as many as meters name. */
  readonly #fieldBytes = new Map<string, Buffer>();

  constructor(features: readonly Feature[]) {
    for (const { refId, meter } of features) {
      const field = meter?.aggregation.field ?? null;
      // COUNT needs no field, and every event has a name.
      if (meter === null || field === null || meter.aggregation.function === 'COUNT') continue;
      this.#watch({ refId, meter });
    }
  }

  /** Adds the block's counted events without a usable field to `counts`, under `<feature>:<cause>`. */
  count(block: EventBlock, decided: Uint8Array, counts: Record<string, number>): void {
    if (this.#byName.size === 0 && this.#any.length === 0) return;
    for (let row = 0; row < block.count; row += 1) {
      if (decided[row] !== decisions.counts) continue;
      const eventName = block.text('event_name', row);
      const dimension = (key: string) => block.dimension(row, this.#bytesOf(key));
      for (const watched of [this.#byName.get(eventName) ?? [], this.#any].flat()) {
        const verdict = evaluateMeter(watched.meter, eventName, dimension);
        if (verdict.outcome !== 'not_counted') continue;
        const key = `${watched.refId}:${verdict.cause}`;
        counts[key] = (counts[key] ?? 0) + 1;
      }
    }
  }

  #watch(watched: WatchedMeter): void {
    const names = requiredNames(watched.meter.filters);
    if (names === undefined) this.#any.push(watched);
    for (const name of names ?? []) {
      const others = this.#byName.get(name);
      if (others === undefined) this.#byName.set(name, [watched]);
      else others.push(watched);
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

/** The only names an event can have to pass the filters; undefined when it could be any. */
function requiredNames(filters: readonly MeterFilter[]): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const filter of filters) {
    const required = namesOfGroup(filter);
    if (required === undefined) return undefined;
    for (const name of required) names.add(name);
  }
  return filters.length === 0 ? undefined : names;
}

function namesOfGroup({ conditions }: MeterFilter): readonly string[] | undefined {
  for (const { field, operation, value, values } of conditions) {
    if (field !== eventNameField) continue;
    const names = operation === 'EQUALS' ? [value ?? ''] : operation === 'IN' ? (values ?? []) : undefined;
    // A number equals every way of writing it, so it requires no one text.
    if (names?.every((name) => parseQuantity(name) === undefined)) return names;
  }
  return undefined;
}
