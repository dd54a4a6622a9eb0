import { describe, expect, it } from 'vitest';
import { monthsLater } from './calendar.ts';

describe('so many months later', () => {
  it.each([
    ['2024-01-31T10:20:30.456Z', 1, '2024-02-29T10:20:30.456Z'],
    ['2023-01-31T00:00:00.000Z', 1, '2023-02-28T00:00:00.000Z'],
    ['2024-02-29T23:59:59.999Z', 12, '2025-02-28T23:59:59.999Z'],
    ['2024-08-31T00:00:00.000Z', 6, '2025-02-28T00:00:00.000Z'],
    ['2024-12-15T12:00:00.000Z', 1, '2025-01-15T12:00:00.000Z'],
    ['2024-03-31T00:00:00.000Z', -1, '2024-02-29T00:00:00.000Z'],
  ])('%s and %i: %s', (from, months, to) =>
    expect(new Date(monthsLater(Date.parse(from), months)).toISOString()).toBe(to),
  );
});
