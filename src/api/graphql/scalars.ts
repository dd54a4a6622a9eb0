import { type GraphQLScalarType, Kind, type ObjectFieldNode, type ValueNode } from 'graphql';
import { ExactNumber } from '../../json.ts';
import { parseEpochMs, parseInstant } from '../../metering/decode-timestamp.ts';
import { numberText, isNumeric } from '../../metering/decode-number.ts';
import { parseQuantity, type Quantity, quantityToText } from '../../quantity.ts';

type Coercion = Pick<GraphQLScalarType, 'serialize' | 'parseValue' | 'parseLiteral'>;

export const scalarTypeDefs = /* GraphQL */ `
  """
  An exact decimal number with at most 30 digits before and 30 after the point. Sent as a JSON number or as a
  string such as "0.1"; both are read exactly as written. Answered as a string in plain form: no exponent, no
  needless zeros.
  """
  scalar Decimal

  """
  An instant, to the millisecond. Sent in ISO 8601 with a zone, such as "2026-05-01T12:00:00.000Z" or
  "2026-05-01T14:00:00+02:00", as a date, which means its midnight in UTC, or as whole epoch milliseconds.
  Answered in ISO 8601, in UTC, with three digits after the second's point.
  """
  scalar DateTime

  "Any JSON value. What it may hold is said where it is used."
  scalar JSON

  "Nothing: always null. Whether a call succeeded is told by its errors alone."
  scalar Void
`;

/** Inside, a Decimal is a Quantity on the way out and its exact text on the way in. */
const decimal: Coercion = {
  serialize: (value) => quantityToText(typeof value === 'string' ? quantityOf(value) : (value as Quantity)),
  parseValue: decimalText,
  parseLiteral: (node) => {
    if (node.kind === Kind.STRING) return decimalText(node.value);
    if (node.kind === Kind.INT || node.kind === Kind.FLOAT) return decimalText(new ExactNumber(node.value));
    throw new TypeError('a number or a string of one is required');
  },
};

/** The end of the year 9999, the last one that ISO 8601 writes in four digits; epoch ms. */
const instantMax = 253_402_300_799_999;

/** Inside, an instant is epoch ms. */
const dateTime: Coercion = {
  serialize: (value) => new Date(typeof value === 'string' ? Date.parse(value) : Number(value)).toISOString(),
  parseValue: instantOf,
  parseLiteral: (node) => {
    if (node.kind === Kind.INT) return instantOf(new ExactNumber(node.value));
    return instantOf(node.kind === Kind.STRING ? node.value : undefined);
  },
};

/** Inside, JSON is as `parseJson` gives it: numbers that a double might not hold are `ExactNumber`. */
const json: Coercion = {
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: jsonOfLiteral,
};

const nothing: Coercion = {
  serialize: () => null,
  parseValue: () => null,
  parseLiteral: () => null,
};

export const scalarCoercions: Readonly<Record<string, Coercion>> = {
  Decimal: decimal,
  DateTime: dateTime,
  JSON: json,
  Void: nothing,
};

function decimalText(value: unknown): string {
  const text = isNumeric(value) ? numberText(value) : value;
  const quantity = typeof text === 'string' ? parseQuantity(text) : undefined;
  if (quantity === undefined) {
    throw new TypeError(
      'a number, or a string of one such as "12.5", with at most 30 digits before and after the point is required',
    );
  }
  return quantityToText(quantity);
}

function quantityOf(text: string): Quantity {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new Error('an amount to answer is no decimal number');
  return quantity;
}

function instantOf(value: unknown): number {
  const instant = typeof value === 'string' ? parseInstant(value) : parseEpochMs(value);
  if (instant === undefined || Math.abs(instant) > instantMax) {
    throw new TypeError(
      'ISO 8601 with a zone, such as "2026-05-01T12:00:00.000Z", a date, or whole epoch milliseconds are required',
    );
  }
  return instant;
}

function jsonOfLiteral(node: ValueNode, variables?: Readonly<Record<string, unknown>> | null): unknown {
  switch (node.kind) {
    case Kind.STRING:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.INT:
    case Kind.FLOAT:
      // As parseJson decides: at most 15 digits come back from a double unchanged.
      return /^-?[0-9.]{1,15}$/.test(node.value) ? Number(node.value) : new ExactNumber(node.value);
    case Kind.NULL:
      return null;
    case Kind.LIST:
      return node.values.map((item) => jsonOfLiteral(item, variables));
    case Kind.OBJECT:
      return Object.fromEntries(node.fields.map((field) => jsonMember(field, variables)));
    case Kind.VARIABLE:
      return variables?.[node.name.value] ?? null;
    case Kind.ENUM:
      break;
  }
  throw new TypeError(`${node.value} is no JSON; texts are written in double quotes`);
}

function jsonMember(
  field: ObjectFieldNode,
  variables: Readonly<Record<string, unknown>> | null | undefined,
): [string, unknown] {
  return [field.name.value, jsonOfLiteral(field.value, variables)];
}
