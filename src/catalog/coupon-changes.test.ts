import { describe, expect, it } from 'vitest';
import { archiveCoupon, changeCoupon, type CouponDraft, makeCoupon } from './coupon-changes.ts';
import type { Coupon } from './coupon.ts';

const tenth: CouponDraft = { refId: 'tenth', name: 'Tenth', percentOff: '10' };

function made(draft: CouponDraft): Coupon {
  const changed = makeCoupon(draft, 'id', 1);
  if ('problem' in changed) throw new Error(changed.problem.message);
  return changed.coupon;
}

const usd = (amount: string): { amount: string; currency: string } => ({ amount, currency: 'USD' });

describe('a coupon', () => {
  it.each<[string, Partial<CouponDraft>]>([
    ['exactly one of percentOff and amountsOff', { percentOff: null }],
    ['exactly one of percentOff and amountsOff', { amountsOff: [usd('1')] }],
    ['above 0 and at most 100', { percentOff: '0' }],
    ['above 0 and at most 100', { percentOff: '-1' }],
    ['above 0 and at most 100', { percentOff: '100.000001' }],
    ['FIXED coupon has amountsOff', { type: 'FIXED' }],
    ['PERCENTAGE coupon has percentOff', { type: 'PERCENTAGE', percentOff: null, amountsOff: [usd('1')] }],
    ['1 to 200 entries', { percentOff: null, amountsOff: [] }],
    ['amountsOff[0].amount must be above 0', { percentOff: null, amountsOff: [usd('0')] }],
    ['amountsOff[0].currency', { percentOff: null, amountsOff: [{ amount: '1', currency: 'x' }] }],
    ['a currency twice', { percentOff: null, amountsOff: [usd('1'), { amount: '2', currency: 'usd' }] }],
    ['durationInMonths must be 1 to 1200', { durationInMonths: 0 }],
    ['name must have', { name: '' }],
    ['description must have', { description: 'x'.repeat(4_001) }],
    ['refId must be', { refId: '' }],
  ])('is refused: %s', (message, fault) => {
    expect(makeCoupon({ ...tenth, ...fault }, 'id', 1)).toEqual({
      problem: { code: 'VALIDATION_ERROR', message: expect.stringContaining(message) },
    });
  });

  it.each(['0.0001', '100'])('takes off %s per cent', (percentOff) => {
    expect(made({ ...tenth, percentOff })).toMatchObject({ type: 'PERCENTAGE', percentOff });
  });

  it('is the very same when nothing changes', () => {
    const coupon = made(tenth);
    expect(changeCoupon(coupon, { name: 'Tenth', description: undefined }, 2)).toEqual({ coupon });
    expect(changeCoupon(coupon, { name: null }, 2)).toMatchObject({ problem: { code: 'VALIDATION_ERROR' } });
    const archived = archiveCoupon(coupon, 2);
    expect(archived).toMatchObject({ status: 'ARCHIVED', updatedAt: 2 });
    expect(archiveCoupon(archived, 3)).toBe(archived);
  });
});
