import { describe, expect, it } from 'vitest';
import { changeCustomer, customerFieldsProblem, isCustomerRefId, makeCustomer } from './change-customer.ts';

const acme = makeCustomer('acme', { name: 'Acme', additionalMetaData: { tier: 1 } }, 'id-1', 1_000);

describe("a customer's refId", () => {
  it.each(['a', '7', 'customer-9a88b4', 'auth0|42', 'me@example.com', 'a_b.c-d', 'x'.repeat(255)])(
    'may be %s',
    (refId) => expect(isCustomerRefId(refId)).toBe(true),
  );

  it.each(['', '-a', '@a', '_', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(256)])('may not be %j', (refId) =>
    expect(isCustomerRefId(refId)).toBe(false),
  );
});

describe('a change of a customer', () => {
  it('takes given fields, clears null ones and leaves the others', () => {
    const changed = changeCustomer(acme, { name: null, email: 'a@example.com' }, 2_000);
    expect(changed).toEqual({ ...acme, name: null, email: 'a@example.com', updatedAt: 2_000 });
    expect(changeCustomer(acme, { additionalMetaData: null }, 2_000).additionalMetaData).toBeNull();
  });

  it('is none when the fields are as they were', () => {
    const same = { name: 'Acme', email: null, additionalMetaData: { tier: 1 } };
    expect(changeCustomer(acme, same, 2_000)).toBe(acme);
    expect(changeCustomer(acme, {}, 2_000)).toBe(acme);
  });

  it('never moves updatedAt back', () => {
    expect(changeCustomer(acme, { name: 'New' }, 500).updatedAt).toBe(1_000);
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
