import { describe, expect, it } from 'vitest';
import { contentOf, decideCorrection } from './correction-decision.ts';
import type { Amendment, Correction, CorrectionRequest, StoredItem } from './correction.ts';

const now = Date.UTC(2026, 4, 1);
const measurement: StoredItem = {
  id: 'item',
  kind: 'MEASUREMENT',
  customerId: 'acme',
  resourceId: '',
  name: 'seats',
  idempotencyKey: 'key',
  source: '',
  receivedAt: now - 10,
  updateBehavior: 'DELTA',
  flush: 1,
  position: 0,
  content: { timestamp: now - 10, value: '5', dimensions: { team: 'a' } },
};
const event: StoredItem = { ...measurement, kind: 'EVENT', content: { ...measurement.content, value: null } };
const making = { id: 'new', now, actor: 'key-1' };
const nothing: Amendment = { timestamp: null, value: null, dimensions: null };
const voiding: CorrectionRequest = { kind: 'VOID', reason: 'mistake' };
const amending = (amendment: Partial<Amendment>, reason = 'typo'): CorrectionRequest => ({
  kind: 'AMEND',
  reason,
  amendment: { ...nothing, ...amendment },
});

function made(item: StoredItem, history: readonly Correction[], request: CorrectionRequest): Correction {
  const decided = decideCorrection(item, history, request, making);
  if ('problem' in decided) throw new Error(decided.problem.message);
  return decided.correction;
}

function problem(item: StoredItem, request: CorrectionRequest, history: readonly Correction[] = []): string {
  const decided = decideCorrection(item, history, request, making);
  return 'problem' in decided ? decided.problem.message : 'none';
}

describe('a correction', () => {
  it('takes back everything, or puts right what is given and leaves the rest', () => {
    expect(made(measurement, [], voiding)).toEqual({
      id: 'new',
      kind: 'VOID',
      reason: 'mistake',
      at: now,
      actor: 'key-1',
      after: null,
    });
    const { content } = measurement;
    expect(made(measurement, [], amending({ value: '7' })).after).toEqual({ ...content, value: '7' });
    expect(made(event, [], amending({ dimensions: {} })).after).toEqual({ ...event.content, dimensions: {} });
  });

  it('goes on from what counted last, and after what was voided from what counted before', () => {
    const first = made(measurement, [], amending({ value: '7' }));
    const second = made(measurement, [first], voiding);
    const third = made(measurement, [first, second], amending({ timestamp: now }));
    expect(third.after).toEqual({ ...measurement.content, value: '7', timestamp: now });
    expect(contentOf(measurement, [first, second])).toEqual(first.after);
    expect(contentOf(measurement, [])).toEqual(measurement.content);
  });

  it('is later than the one before, whatever the clock says', () => {
    const before = { ...made(measurement, [], voiding), at: now + 5 };
    expect(made(measurement, [before], amending({ value: '1' })).at).toBe(now + 6);
  });

  it('is the one that was made when it is asked for again, and only then', () => {
    const first = { ...made(measurement, [], amending({ value: '7' })), id: 'first' };
    expect(made(measurement, [first], amending({ value: '7' }))).toBe(first);
    expect(made(measurement, [first], amending({ value: '7' }, 'another reason')).id).toBe('new');
    expect(made(measurement, [first], amending({ value: '8' })).id).toBe('new');
    const second = { ...made(measurement, [first], voiding), id: 'second' };
    expect(made(measurement, [first, second], voiding)).toBe(second);
    expect(made(measurement, [first, second], amending({ value: '7' })).id).toBe('new');
  });

  it('is refused with what is wrong', () => {
    expect(problem(measurement, { ...voiding, reason: '  ' })).toContain('reason');
    expect(problem(measurement, { ...voiding, reason: 'x'.repeat(1_001) })).toContain('1001 characters');
    expect(problem(measurement, amending({}))).toContain('at least one of');
    expect(problem(event, amending({ value: '1' }))).toContain('has no value');
    expect(problem(measurement, amending({ timestamp: now + 86_400_001 }))).toContain('24 hours');
    expect(problem(measurement, amending({ timestamp: Date.UTC(1899, 0) }))).toContain('1900');
    const voided = made(measurement, [], voiding);
    const often = Array.from({ length: 100 }, () => voided);
    expect(problem(measurement, voiding, often)).toContain('100 times');
  });
});
