/** Things with a meter, found by the names of events that the meter's filters let pass. */
import type { Meter, MeterFilter } from '../catalog/meter.ts';
import { eventNameField } from '../catalog/meter-evaluation.ts';
import { parseQuantity } from '../quantity.ts';

export class MetersByName<T extends { readonly meter: Meter }> {
  /** Meters by an event name that their filters require. */
  readonly #byName = new Map<string, T[]>();
  /** Meters that any event may match. */
  readonly #any: T[] = [];

  constructor(metered: Iterable<T>) {
    for (const each of metered) this.#add(each);
  }

  get isEmpty(): boolean {
    return this.#byName.size === 0 && this.#any.length === 0;
  }

  /** Those that an event of this name may match; the rest it cannot. */
  of(eventName: string): readonly T[] {
    const named = this.#byName.get(eventName);
    if (named === undefined) return this.#any;
    return this.#any.length === 0 ? named : [...named, ...this.#any];
  }

  #add(metered: T): void {
    const names = requiredNames(metered.meter.filters);
    if (names === undefined) this.#any.push(metered);
    for (const name of names ?? []) {
      const others = this.#byName.get(name);
      if (others === undefined) this.#byName.set(name, [metered]);
      else others.push(metered);
    }
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
