import { describe, expect, it } from 'vitest';
import { quantityToText } from '../quantity.ts';
import type { AggregationFunction, FilterOperation, MeterCondition } from './meter.ts';
import { evaluateMeter } from './meter-evaluation.ts';

const missing = undefined;

/** Whether a condition on field `a` holds for an event whose `a` is this text. */
function holds(
  operation: FilterOperation,
  value: string | readonly string[],
  text: string | undefined,
): boolean {
  const condition: MeterCondition =
    typeof value === 'string'
      ? { field: 'a', operation, value, values: null }
      : { field: 'a', operation, value: null, values: value };
  const meter = {
    aggregation: { function: 'COUNT', field: null },
    filters: [{ conditions: [condition] }],
  } as const;
  const verdict = evaluateMeter(meter, 'request', (key) => (key === 'a' ? text : undefined));
  return verdict.outcome === 'counted';
}

describe('conditions', () => {
  it.each<[FilterOperation, string | readonly string[], string | undefined, boolean]>([
    ['EQUALS', '1.0', '1', true],
    ['EQUALS', '1000', '1e3', true],
    ['EQUALS', '0', '-0', true],
    ['EQUALS', '9007199254740993', '9007199254740992', false],
    ['EQUALS', '007', '7', false],
    ['EQUALS', '007', '007', true],
    ['EQUALS', '', '', true],
    ['EQUALS', '', missing, false],
    ['EQUALS', 'abc', 'ABC', false],
    ['NOT_EQUALS', '1.0', '1', false],
    ['NOT_EQUALS', '1', 'x', true],
    ['NOT_EQUALS', '1', missing, true],
    ['GREATER_THAN', '9', '10', true],
    ['GREATER_THAN', '9', '9.0', false],
    ['GREATER_THAN', '9', 'x', false],
    ['GREATER_THAN', '-1', missing, false],
    ['GREATER_THAN_OR_EQUAL', '9', '9.0', true],
    ['LESS_THAN', '0.3', '0.1', true],
    ['LESS_THAN', '0.3', '', false],
    ['LESS_THAN_OR_EQUAL', '0.3', '0.30', true],
    ['IS_NULL', '', missing, true],
    ['IS_NULL', '', '', false],
    ['IS_NOT_NULL', '', '', true],
    ['IS_NOT_NULL', '', missing, false],
    ['CONTAINS', '/v1', '/api/v1/x', true],
    ['CONTAINS', '1.0', '1', false],
    ['CONTAINS', '', missing, false],
    ['STARTS_WITH', '/api', '/api/v1', true],
    ['STARTS_WITH', '/v1', '/api/v1', false],
    ['ENDS_WITH', '😀', 'a😀', true],
    ['ENDS_WITH', 'a', missing, false],
    ['IN', ['x', '1.0'], '1', true],
    ['IN', ['x', '1.0'], 'x', true],
    ['IN', ['x', '1.0'], '2', false],
    ['IN', [''], missing, false],
  ])('%s %j of %j is %s', (operation, value, text, expected) => {
    expect(holds(operation, value, text)).toBe(expected);
  });
});

describe('groups', () => {
  const meter = {
    aggregation: { function: 'COUNT', field: null },
    filters: [
      { conditions: [equals('eventName', 'request'), equals('status', '200')] },
      { conditions: [equals('eventName', 'retry')] },
    ],
  } as const;
  const outcome = (name: string, dimensions: Record<string, string>) =>
    evaluateMeter(meter, name, (key) => dimensions[key]).outcome;

  it('are ORed, and the conditions inside one ANDed', () => {
    expect(outcome('request', { status: '200' })).toBe('counted');
    expect(outcome('request', { status: '500' })).toBe('not_matched');
    expect(outcome('retry', { status: '500' })).toBe('counted');
  });

  it('read the field eventName as the event’s name, whatever its dimensions are called', () => {
    expect(outcome('other', { eventName: 'retry' })).toBe('not_matched');
  });
});

describe('what is aggregated', () => {
  it.each(['SUM', 'MAX', 'MIN', 'AVG'] as const)('%s takes the exact amount', (name) => {
    const counted = verdictOn(name, 'a', '12345678901234567890.10');
    expect(counted.outcome === 'counted' && counted.amount && quantityToText(counted.amount)).toBe(
      '12345678901234567890.1',
    );
    expect(verdictOn(name, 'a', missing)).toEqual({ outcome: 'not_counted', cause: 'missing_field' });
    for (const text of ['', 'abc', '007', '1e99', ' 1', '1\n']) {
      expect(verdictOn(name, 'a', text)).toEqual({ outcome: 'not_counted', cause: 'not_a_number' });
    }
  });

  it('UNIQUE takes the text as it is', () => {
    expect(verdictOn('UNIQUE', 'a', '1.0')).toEqual({ outcome: 'counted', amount: null, text: '1.0' });
    expect(verdictOn('UNIQUE', 'a', '')).toEqual({ outcome: 'counted', amount: null, text: '' });
    expect(verdictOn('UNIQUE', 'eventName', missing)).toEqual({
      outcome: 'counted',
      amount: null,
      text: 'request',
    });
    expect(verdictOn('UNIQUE', 'a', missing)).toEqual({ outcome: 'not_counted', cause: 'missing_field' });
  });
});

function equals(field: string, value: string): MeterCondition {
  return { field, operation: 'EQUALS', value, values: null };
}

function verdictOn(name: AggregationFunction, field: string, text: string | undefined) {
  return evaluateMeter({ aggregation: { function: name, field }, filters: [] }, 'request', () => text);
}
