/** Checks a meter as a caller sends it (GraphQL's `meter` of a feature), by contract, sections 4 and 5.6. */
import { parseQuantity } from '../quantity.ts';
import {
  type AggregationFunction,
  aggregationFunctions,
  type FilterOperation,
  filterOperations,
  type Meter,
  type MeterCondition,
  type MeterFilter,
} from './meter.ts';

export const meterLimits = {
  filtersMax: 20,
  conditionsPerFilterMax: 50,
  valuesPerConditionMax: 1_000,
  /** Characters of a value or a field's name. */
  textLengthMax: 1_000,
  /**
   * UTF-8 bytes of all texts of a meter together. A query carries them as parameters, and a ClickHouse server
   * takes at most 128 KiB in one, of which escaping may need two bytes for one.
   */
  textBytesMax: 65_536,
} as const;

/** A meter, or the first thing that is wrong with it, as a sentence that names the place. */
export type DecodedMeter = { readonly meter: Meter } | { readonly problem: string };

/**
 * The meter in its one form: texts that an operation or COUNT has no use for become null. COUNT counts events,
 * whatever `field` it comes with, as other vendors' programs send one; to count only the events that carry a
 * field, filter by IS_NOT_NULL. Numbers and booleans as values are taken as their texts.
 */
export function decodeMeter(input: unknown): DecodedMeter {
  const problems: string[] = [];
  const { aggregation, filters } = recordAt(input, 'meter', problems);
  const meter: Meter = {
    aggregation: aggregationAt(aggregation, 'meter.aggregation', problems),
    filters: listAt(filters ?? [], 'meter.filters', { min: 0, max: meterLimits.filtersMax }, problems).map(
      (filter, index) => filterAt(filter, `meter.filters[${index}]`, problems),
    ),
  };
  if (meterTextBytes(meter) > meterLimits.textBytesMax) {
    problems.push(`meter holds more than ${meterLimits.textBytesMax} bytes of texts`);
  }
  const [problem] = problems;
  return problem === undefined ? { meter } : { problem };
}

/** Each reader below notes what is wrong and answers a stand-in, so that one pass reads the whole meter. */
type Problems = string[];

function aggregationAt(input: unknown, path: string, problems: Problems): Meter['aggregation'] {
  const { function: given, field } = recordAt(input, path, problems);
  const name = oneOf<AggregationFunction>(given, aggregationFunctions, `${path}.function`, problems);
  if (name === undefined || name === 'COUNT') return { function: 'COUNT', field: null };
  if (isAbsent(field)) problems.push(`${path}.field is required for ${name}`);
  return { function: name, field: isAbsent(field) ? '' : fieldAt(field, `${path}.field`, problems) };
}

function filterAt(input: unknown, path: string, problems: Problems): MeterFilter {
  const { conditions } = recordAt(input, path, problems);
  const limits = { min: 1, max: meterLimits.conditionsPerFilterMax };
  return {
    conditions: listAt(conditions, `${path}.conditions`, limits, problems).map((condition, index) =>
      conditionAt(condition, `${path}.conditions[${index}]`, problems),
    ),
  };
}

function conditionAt(input: unknown, path: string, problems: Problems): MeterCondition {
  const condition = recordAt(input, path, problems);
  const field = fieldAt(condition['field'], `${path}.field`, problems);
  const operation = oneOf<FilterOperation>(
    condition['operation'],
    filterOperations,
    `${path}.operation`,
    problems,
  );
  if (operation === undefined || takesNothing.has(operation)) {
    return { field, operation: operation ?? 'IS_NULL', value: null, values: null };
  }
  if (operation === 'IN') {
    const limits = { min: 1, max: meterLimits.valuesPerConditionMax };
    const values = listAt(condition['values'], `${path}.values`, limits, problems).map((value, index) =>
      textAt(value, `${path}.values[${index}]`, problems),
    );
    return { field, operation, value: null, values };
  }
  const value = textAt(condition['value'], `${path}.value`, problems);
  if (takesNumber.has(operation) && parseQuantity(value) === undefined) {
    problems.push(`${path}.value must be a number`);
  }
  return { field, operation, value, values: null };
}

const takesNothing: ReadonlySet<FilterOperation> = new Set(['IS_NULL', 'IS_NOT_NULL']);
const takesNumber: ReadonlySet<FilterOperation> = new Set([
  'GREATER_THAN',
  'GREATER_THAN_OR_EQUAL',
  'LESS_THAN',
  'LESS_THAN_OR_EQUAL',
]);

function recordAt(input: unknown, path: string, problems: Problems): Readonly<Record<string, unknown>> {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
    return input as Readonly<Record<string, unknown>>;
  }
  problems.push(`${path} must be an object`);
  return {};
}

interface ListLimits {
  readonly min: number;
  readonly max: number;
}

function listAt(input: unknown, path: string, limits: ListLimits, problems: Problems): readonly unknown[] {
  const list: readonly unknown[] = Array.isArray(input) ? input : [];
  if (!Array.isArray(input)) problems.push(`${path} must be a list`);
  else if (list.length < limits.min) problems.push(`${path} must not be empty`);
  if (list.length <= limits.max) return list;
  problems.push(`${path} holds ${list.length} items; at most ${limits.max} are allowed`);
  return [];
}

function oneOf<Name extends string>(
  input: unknown,
  names: readonly Name[],
  path: string,
  problems: Problems,
): Name | undefined {
  const found = names.find((name) => name === input);
  if (found === undefined) problems.push(`${path} must be one of ${names.join(', ')}`);
  return found;
}

function fieldAt(input: unknown, path: string, problems: Problems): string {
  if (typeof input === 'string' && input !== '') return boundedText(input, path, problems);
  problems.push(`${path} must be a non-empty text`);
  return '';
}

function textAt(input: unknown, path: string, problems: Problems): string {
  if (typeof input === 'string') return boundedText(input, path, problems);
  if (typeof input === 'boolean' || (typeof input === 'number' && Number.isFinite(input)))
    return String(input);
  problems.push(isAbsent(input) ? `${path} is required` : `${path} must be a text`);
  return '';
}

function isAbsent(input: unknown): input is null | undefined {
  return input === null || input === undefined;
}

function boundedText(text: string, path: string, problems: Problems): string {
  if (text.length > meterLimits.textLengthMax) {
    problems.push(`${path} is longer than ${meterLimits.textLengthMax} characters`);
  }
  // A lone surrogate has no UTF-8 form, so no event can carry one and ClickHouse would compare with another
  // text; U+0000 ends a text in some of the ways a query's parameter can take.
  if (text.includes('\0') || /\p{Surrogate}/u.test(text)) {
    problems.push(`${path} holds characters that are no valid text`);
  }
  return text;
}

function meterTextBytes(meter: Meter): number {
  let bytes = Buffer.byteLength(meter.aggregation.field ?? '');
  for (const { field, value, values } of meter.filters.flatMap((filter) => filter.conditions)) {
    bytes += Buffer.byteLength(field) + Buffer.byteLength(value ?? '');
    for (const text of values ?? []) bytes += Buffer.byteLength(text);
  }
  return bytes;
}
