/**
 * What a meter makes of one event (contract, section 5.6). The same rules are written a second time as SQL in
 * `usage/meter-sql.ts`; a property test holds the two together.
 */
import {
  compareQuantities,
  isQuantityText,
  parseQuantity,
  type Quantity,
  quantityToText,
} from '../quantity.ts';
import type { AggregationFunction, FilterOperation, Meter, MeterCondition } from './meter.ts';

export type NotCountedCause = 'missing_field' | 'not_a_number';

export type MeterVerdict =
  | { readonly outcome: 'not_matched' }
  /** `amount` for SUM, MAX, MIN and AVG; `text` for UNIQUE; neither for COUNT. */
  | { readonly outcome: 'counted'; readonly amount: Quantity | null; readonly text: string | null }
  /** The filters match, and the event carries nothing to aggregate. */
  | { readonly outcome: 'not_counted'; readonly cause: NotCountedCause };

/**
 * The field that names the event itself, in filters and aggregations alike. A dimension of that key can be
 * stored and grouped by nothing else: here the event's name wins.
 */
export const eventNameField = 'eventName';

/** `dimension` answers the text under a key, or undefined where the event has none. */
export function evaluateMeter(
  meter: Meter,
  eventName: string,
  dimension: (key: string) => string | undefined,
): MeterVerdict {
  const textOf = (field: string) => (field === eventNameField ? eventName : dimension(field));
  return prepared(meter)(textOf);
}

/**
 * Why an event that the meter's filters match does not count; undefined when it counts or does not match. `textOf`
 * answers the text of a field, `eventNameField` included. As `evaluateMeter`, without working the amount out.
 */
export function notCountedTest(meter: Meter): (textOf: TextOf) => NotCountedCause | undefined {
  const matches = filterTest(meter);
  const { function: name, field } = meter.aggregation;
  if (name === 'COUNT') return () => undefined;
  return (textOf) => {
    if (!matches(textOf)) return undefined;
    const text = field === null ? undefined : textOf(field);
    if (text === undefined) return 'missing_field';
    return aggregatesNumbers(name) && !isQuantityText(text) ? 'not_a_number' : undefined;
  };
}

/** True for the functions that add or compare amounts. */
export function aggregatesNumbers(name: AggregationFunction): boolean {
  return name !== 'COUNT' && name !== 'UNIQUE';
}

export type TextOf = (field: string) => string | undefined;
type Test = (text: string | undefined) => boolean;

/**
 * Meters live as long as the catalog's copy of them and are asked of every event, so what their values mean as
 * numbers is worked out once for each.
 */
const preparedMeters = new WeakMap<Meter, (textOf: TextOf) => MeterVerdict>();

function prepared(meter: Meter): (textOf: TextOf) => MeterVerdict {
  const known = preparedMeters.get(meter);
  if (known !== undefined) return known;
  const made = prepare(meter);
  preparedMeters.set(meter, made);
  return made;
}

const notMatched: MeterVerdict = { outcome: 'not_matched' };
const countedEvent: MeterVerdict = { outcome: 'counted', amount: null, text: null };
const missingField: MeterVerdict = { outcome: 'not_counted', cause: 'missing_field' };
const notANumber: MeterVerdict = { outcome: 'not_counted', cause: 'not_a_number' };

function prepare(meter: Meter): (textOf: TextOf) => MeterVerdict {
  const matches = filterTest(meter);
  const { function: name, field } = meter.aggregation;
  return (textOf) => {
    if (!matches(textOf)) return notMatched;
    return name === 'COUNT' ? countedEvent : verdictOnText(name, field === null ? undefined : textOf(field));
  };
}

function filterTest(meter: Meter): (textOf: TextOf) => boolean {
  const groups = meter.filters.map((filter) =>
    filter.conditions.map((condition) => ({ field: condition.field, holds: conditionTest(condition) })),
  );
  if (groups.length === 0) return () => true;
  return (textOf) => groups.some((group) => group.every(({ field, holds }) => holds(textOf(field))));
}

function verdictOnText(name: AggregationFunction, text: string | undefined): MeterVerdict {
  if (text === undefined) return missingField;
  if (!aggregatesNumbers(name)) return { outcome: 'counted', amount: null, text };
  const amount = parseQuantity(text);
  return amount === undefined ? notANumber : { outcome: 'counted', amount, text: null };
}

function conditionTest(condition: MeterCondition): Test {
  return conditionTests[condition.operation](condition.value ?? '', condition.values ?? []);
}

/** What each operation holds of a field's text, undefined where the event has no such field. */
const conditionTests: Readonly<Record<FilterOperation, (value: string, values: readonly string[]) => Test>> =
  {
    IS_NULL: () => (text) => text === undefined,
    IS_NOT_NULL: () => (text) => text !== undefined,
    EQUALS: (value) => equalityTest([value]),
    NOT_EQUALS: (value) => {
      const equals = equalityTest([value]);
      return (text) => !equals(text);
    },
    IN: (_value, values) => equalityTest(values),
    GREATER_THAN: (value) => orderTest(value, (order) => order > 0),
    GREATER_THAN_OR_EQUAL: (value) => orderTest(value, (order) => order >= 0),
    LESS_THAN: (value) => orderTest(value, (order) => order < 0),
    LESS_THAN_OR_EQUAL: (value) => orderTest(value, (order) => order <= 0),
    CONTAINS: (value) => (text) => text?.includes(value) ?? false,
    STARTS_WITH: (value) => (text) => text?.startsWith(value) ?? false,
    ENDS_WITH: (value) => (text) => text?.endsWith(value) ?? false,
  };

/** Equal to one of them: as numbers where both are numbers, else as texts. */
function equalityTest(values: readonly string[]): Test {
  const texts = new Set(values);
  const numbers = new Set(values.flatMap((value) => canonicalNumber(value) ?? []));
  return (text) => {
    if (text === undefined) return false;
    if (texts.has(text)) return true;
    const number = numbers.size === 0 ? undefined : canonicalNumber(text);
    return number !== undefined && numbers.has(number);
  };
}

/** Equal numbers have one canonical text, so a set finds them. */
function canonicalNumber(text: string): string | undefined {
  const quantity = parseQuantity(text);
  return quantity === undefined ? undefined : quantityToText(quantity);
}

function orderTest(value: string, accepts: (order: number) => boolean): Test {
  const bound = parseQuantity(value);
  if (bound === undefined) return () => false;
  return (text) => {
    const number = text === undefined ? undefined : parseQuantity(text);
    return number !== undefined && accepts(compareQuantities(number, bound));
  };
}
