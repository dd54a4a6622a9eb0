import { describe, expect, it } from 'vitest';
import {
  archivedCustomer,
  type CustomerChange,
  customerFieldsProblem,
  isCustomerRefId,
  provisionedCustomer,
  unarchivedCustomer,
  updatedCustomer,
} from './change-customer.ts';
import type { Coupon } from '../catalog/coupon.ts';
import type { Customer } from './customer.ts';

const acme = customerOf(
  provisionedCustomer(undefined, 'acme', { name: 'Acme', additionalMetaData: { tier: 1 } }, 'id-1', 1_000),
) as Customer;
const notFound = { problem: { code: 'CUSTOMER_NOT_FOUND' } };

describe("a customer's refId", () => {
  it.each(['a', '7', 'customer-9a88b4', 'auth0|42', 'me@example.com', 'a_b.c-d', 'x'.repeat(255)])(
    'may be %s',
    (refId) => expect(isCustomerRefId(refId)).toBe(true),
  );

  it.each(['', '-a', '@a', '_', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(256)])('may not be %j', (refId) =>
    expect(isCustomerRefId(refId)).toBe(false),
  );
});

describe('provisioning', () => {
  it('creates, then takes given fields, clears null ones and leaves the others', () => {
    expect(acme).toEqual({
      id: 'id-1',
      refId: 'acme',
      name: 'Acme',
      email: null,
      additionalMetaData: { tier: 1 },
      coupon: null,
      billingId: null,
      createdAt: 1_000,
      updatedAt: 1_000,
      archivedAt: null,
    });
    const fields = { name: null, email: 'a@example.com' };
    const changed = { customer: { ...acme, ...fields, updatedAt: 2_000 } };
    expect(provisionedCustomer(acme, 'acme', fields, 'id-2', 2_000)).toEqual(changed);
    expect(updatedCustomer(acme, 'acme', fields, 2_000)).toEqual(changed);
    expect(updatedCustomer(acme, 'acme', { additionalMetaData: null }, 2_000)).toEqual({
      customer: { ...acme, additionalMetaData: null, updatedAt: 2_000 },
    });
  });

  it('changes nothing when the fields are as they were', () => {
    const same = { name: 'Acme', email: null, additionalMetaData: { tier: 1 } };
    for (const fields of [same, {}]) {
      expect(customerOf(provisionedCustomer(acme, 'acme', fields, 'id-2', 2_000))).toBe(acme);
      expect(customerOf(updatedCustomer(acme, 'acme', fields, 2_000))).toBe(acme);
    }
  });

  it('never moves updatedAt back', () => {
    expect(customerOf(updatedCustomer(acme, 'acme', { name: 'New' }, 500))?.updatedAt).toBe(1_000);
  });
});

describe("a customer's coupon", () => {
  const given = updatedCustomer(acme, 'acme', { coupon: couponOf({}) }, Date.parse('2024-01-31T00:00:00Z'));
  const withCoupon = customerOf(given) as Customer;

  it('begins when it is given, for its months', () => {
    expect(withCoupon.coupon).toEqual({
      couponId: 'tenth',
      percentOff: '10',
      amountsOff: null,
      startsAt: Date.parse('2024-01-31T00:00:00Z'),
      endsAt: Date.parse('2024-02-29T00:00:00Z'),
    });
    const made = provisionedCustomer(
      undefined,
      'new',
      { coupon: couponOf({ durationInMonths: null }) },
      'id',
      5,
    );
    expect(customerOf(made)?.coupon).toMatchObject({ startsAt: 5, endsAt: null });
  });

  it('does not begin anew when it is given again, also when it is archived by now', () => {
    const coupon = couponOf({ status: 'ARCHIVED' });
    expect(customerOf(provisionedCustomer(withCoupon, 'acme', { coupon }, 'id-2', 9e12))).toBe(withCoupon);
  });

  it('is taken away by null, replaced by another, and left by saying nothing', () => {
    expect(customerOf(updatedCustomer(withCoupon, 'acme', { coupon: null }, 9e12))?.coupon).toBeNull();
    const other = updatedCustomer(withCoupon, 'acme', { coupon: couponOf({ refId: 'other' }) }, 9e12);
    expect(customerOf(other)?.coupon).toMatchObject({ couponId: 'other', startsAt: 9e12 });
    expect(customerOf(updatedCustomer(withCoupon, 'acme', { name: 'New' }, 9e12))?.coupon).toBe(
      withCoupon.coupon,
    );
  });

  it('has to be active', () => {
    const problem = { problem: { code: 'VALIDATION_ERROR', message: expect.stringContaining('archived') } };
    const coupon = couponOf({ status: 'ARCHIVED' });
    expect(updatedCustomer(acme, 'acme', { coupon }, 5)).toEqual(problem);
    expect(provisionedCustomer(undefined, 'new', { coupon }, 'id', 5)).toEqual(problem);
  });
});

describe('archiving', () => {
  const archived = customerOf(archivedCustomer(acme, 'acme', 2_000));

  it('clears name and e-mail', () => {
    expect(archived).toEqual({ ...acme, name: null, email: null, updatedAt: 2_000, archivedAt: 2_000 });
    expect(customerOf(archivedCustomer(archived, 'acme', 3_000))).toBe(archived);
  });

  it('is taken back without name and e-mail', () => {
    const back = customerOf(unarchivedCustomer(archived, 'acme', 3_000));
    expect(back).toEqual({ ...acme, name: null, email: null, updatedAt: 3_000 });
    expect(customerOf(unarchivedCustomer(back, 'acme', 4_000))).toBe(back);
  });

  it('makes provisioning tell how to get the customer back, and updates find none', () => {
    expect(provisionedCustomer(archived, 'acme', {}, 'id-2', 3_000)).toEqual({
      problem: { code: 'DUPLICATE_ENTITY', message: expect.stringContaining('unarchiveCustomer') },
    });
    expect(updatedCustomer(archived, 'acme', { name: 'X' }, 3_000)).toMatchObject(notFound);
  });

  it('needs a customer', () => {
    for (const change of [
      archivedCustomer(undefined, 'acme', 1),
      unarchivedCustomer(undefined, 'acme', 1),
      updatedCustomer(undefined, 'acme', {}, 1),
    ]) {
      expect(change).toMatchObject(notFound);
    }
  });
});

describe('the fields of a customer', () => {
  it.each([{}, { name: null, email: null }, { name: 'x'.repeat(255), email: 'a@b' }])('may be %j', (fields) =>
    expect(customerFieldsProblem(fields)).toBeUndefined(),
  );

  it.each([
    { name: '' },
    { name: 'x'.repeat(256) },
    { email: 'nobody' },
    { email: 'a b@c' },
    { email: `${'x'.repeat(255)}@y` },
  ])('may not be %j, and the message does not repeat them', (fields) => {
    const problem = customerFieldsProblem(fields);
    expect(problem).toMatch(/^(name|email) must /);
    for (const value of Object.values(fields).filter((text) => text !== ''))
      expect(problem).not.toContain(value);
  });
});

function customerOf(change: CustomerChange): Customer | undefined {
  return 'customer' in change ? change.customer : undefined;
}

function couponOf(fields: Partial<Coupon>): Coupon {
  return {
    id: 'coupon-id',
    refId: 'tenth',
    name: 'A tenth',
    description: null,
    type: 'PERCENTAGE',
    percentOff: '10',
    amountsOff: null,
    durationInMonths: 1,
    status: 'ACTIVE',
    additionalMetaData: null,
    createdAt: 0,
    updatedAt: 0,
    ...fields,
  };
}
