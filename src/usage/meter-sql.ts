/**
 * A meter as SQL over the columns of `events`: the rules of `catalog/meter-evaluation.ts` a second time. Pure.
 * All texts of the meter, fields too, are parameters; the SQL text depends on its shape alone.
 */
import { aggregatesNumbers, eventNameField } from '../catalog/meter-evaluation.ts';
import type { AggregationFunction, FilterOperation, Meter, MeterCondition } from '../catalog/meter.ts';
import { exponentNumberPattern, parseQuantity, plainNumberPattern, quantityToText } from '../quantity.ts';
import type { SqlParameters } from '../store/sql-statement.ts';

export interface MeterSql {
  /** Holds for the events that count. Never NULL. */
  readonly where: string;
  /** What is aggregated of an event that counts: an amount, UNIQUE's text, or 0 for COUNT. Never NULL. */
  readonly value: string;
}

export function meterSql(meter: Meter, params: SqlParameters): MeterSql {
  const { function: name, field } = meter.aggregation;
  const measured = name === 'COUNT' || field === null ? undefined : fieldSql(field, params);
  return {
    where: allOf([filtersSql(meter, params), usableSql(name, measured)]),
    value: valueSql(name, measured),
  };
}

/** A value that a set of events or measurements is broken down by: '' where an event has no such field. */
export function tagSql(field: string, params: SqlParameters): string {
  return fieldSql(field, params).text;
}

export function allOf(conditions: readonly string[]): string {
  return conditions.filter((condition) => condition !== always).join(' AND ') || always;
}

const always = '1';

interface FieldSql {
  /** The text; '' where there is none. */
  readonly text: string;
  /** Whether there is one. */
  readonly present: string;
  /** The amount; NULL where the text is no number, or there is none. */
  readonly amount: () => string;
}

function fieldSql(field: string, params: SqlParameters): FieldSql {
  const isName = field === eventNameField;
  const text = isName ? 'event_name' : `dimensions[${params.text(field)}]`;
  return {
    text,
    present: isName ? always : `mapContains(dimensions, ${params.text(field)})`,
    // The pattern is JavaScript's own; toDecimal256OrNull alone would also take texts such as `+1` or `007`.
    amount: () => `if(match(${text}, ${params.text(numberPattern)}), toDecimal256OrNull(${text}, 30), NULL)`,
  };
}

/** One pattern for both forms of a number. RE2 and JavaScript read it alike: no flags, ASCII only. */
const numberPattern = `(?:${plainNumberPattern})|(?:${exponentNumberPattern})`;

function usableSql(name: AggregationFunction, measured: FieldSql | undefined): string {
  if (measured === undefined) return always;
  return aggregatesNumbers(name) ? `isNotNull(${measured.amount()})` : measured.present;
}

function valueSql(name: AggregationFunction, measured: FieldSql | undefined): string {
  if (measured === undefined) return '0';
  return aggregatesNumbers(name) ? `assumeNotNull(${measured.amount()})` : measured.text;
}

function filtersSql(meter: Meter, params: SqlParameters): string {
  if (meter.filters.length === 0) return always;
  const groups = meter.filters.map(({ conditions }) =>
    allOf(conditions.map((condition) => conditionSql(condition, params))),
  );
  return `(${groups.map((group) => `(${group})`).join(' OR ')})`;
}

function conditionSql(condition: MeterCondition, params: SqlParameters): string {
  const field = fieldSql(condition.field, params);
  return conditionBuilders[condition.operation](field, condition.value ?? '', condition.values ?? [], params);
}

type ConditionBuilder = (
  field: FieldSql,
  value: string,
  values: readonly string[],
  params: SqlParameters,
) => string;

const conditionBuilders: Readonly<Record<FilterOperation, ConditionBuilder>> = {
  IS_NULL: (field) => `NOT ${field.present}`,
  IS_NOT_NULL: (field) => field.present,
  EQUALS: (field, value, _values, params) => equalsSql(field, value, params),
  NOT_EQUALS: (field, value, _values, params) => `NOT (${equalsSql(field, value, params)})`,
  IN: (field, _value, values, params) => inSql(field, values, params),
  GREATER_THAN: orderSql('>'),
  GREATER_THAN_OR_EQUAL: orderSql('>='),
  LESS_THAN: orderSql('<'),
  LESS_THAN_OR_EQUAL: orderSql('<='),
  CONTAINS: (field, value, _values, params) =>
    allOf([field.present, `position(${field.text}, ${params.text(value)}) > 0`]),
  STARTS_WITH: (field, value, _values, params) =>
    allOf([field.present, `startsWith(${field.text}, ${params.text(value)})`]),
  ENDS_WITH: (field, value, _values, params) =>
    allOf([field.present, `endsWith(${field.text}, ${params.text(value)})`]),
};

/**
 * A value that is a number equals only numbers, since a text equal to it would be one. One that is no number
 * is compared as text, in the form `event_name = …` that the primary key serves.
 */
function equalsSql(field: FieldSql, value: string, params: SqlParameters): string {
  const number = parseQuantity(value);
  return number === undefined
    ? allOf([field.present, `${field.text} = ${params.text(value)}`])
    : `ifNull(${field.amount()} = ${params.amount(quantityToText(number))}, 0)`;
}

function inSql(field: FieldSql, values: readonly string[], params: SqlParameters): string {
  const numbers = values.flatMap((value) => parseQuantity(value) ?? []).map(quantityToText);
  const texts = values.filter((value) => parseQuantity(value) === undefined);
  const alternatives = [
    ...(texts.length > 0 ? [allOf([field.present, `${field.text} IN (${params.texts(texts)})`])] : []),
    ...(numbers.length > 0 ? [`ifNull(${field.amount()} IN (${params.amounts(numbers)}), 0)`] : []),
  ];
  return alternatives.length === 0 ? '0' : `(${alternatives.join(' OR ')})`;
}

function orderSql(operator: '>' | '>=' | '<' | '<='): ConditionBuilder {
  return (field, value, _values, params) => {
    const number = parseQuantity(value);
    if (number === undefined) return '0';
    return `ifNull(${field.amount()} ${operator} ${params.amount(quantityToText(number))}, 0)`;
  };
}
