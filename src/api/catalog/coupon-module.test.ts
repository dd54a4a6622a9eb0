import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
});

afterAll(() => api.stop());

const fields = `refId name description type percentOff amountsOff { amount currency } durationInMonths status
  additionalMetaData`;
const createCoupon = `mutation ($input: CreateCouponInput!) { createCoupon(input: $input) { id ${fields} } }`;
const updateCoupon = `mutation ($input: UpdateCouponInput!) { updateCoupon(input: $input) { ${fields} } }`;
const archiveCoupon = `mutation ($input: ArchiveCouponInput!) { archiveCoupon(input: $input) { ${fields} } }`;

function coupon(refId: string, input: object): object {
  return { input: { refId, name: refId, ...input } };
}

const blank = {
  description: null,
  percentOff: null,
  amountsOff: null,
  durationInMonths: null,
  status: 'ACTIVE',
  additionalMetaData: null,
};

describe('a coupon', () => {
  it('takes off a percentage, exactly', async () => {
    const input = coupon('third', { percentOff: 12.5, durationInMonths: 3 });
    expect(dataOf(await api.ask(createCoupon, input))['createCoupon']).toMatchObject({
      ...blank,
      type: 'PERCENTAGE',
      percentOff: '12.5',
      durationInMonths: 3,
    });
    const exact = coupon('exact', { percentOff: '33.333333333333333333' });
    expect(dataOf(await api.ask(createCoupon, exact))['createCoupon']).toMatchObject({
      percentOff: '33.333333333333333333',
    });
  });

  it('takes off an amount in each currency', async () => {
    const amountsOff = [
      { amount: '5.50', currency: 'USD' },
      { amount: 40, currency: 'dkk' },
    ];
    const made = dataOf(await api.ask(createCoupon, coupon('amounts', { amountsOff })))['createCoupon'];
    expect(made).toMatchObject({
      ...blank,
      type: 'FIXED',
      amountsOff: [
        { amount: '5.5', currency: 'usd' },
        { amount: '40', currency: 'dkk' },
      ],
    });
    const { id } = made as { id: string };
    expect(dataOf(await api.ask(`{ coupon(id: "${id}") { refId } }`))).toEqual({
      coupon: { refId: 'amounts' },
    });
  });

  it('changes in name, description and metadata only', async () => {
    dataOf(await api.ask(createCoupon, coupon('fixed', { percentOff: 10 })));
    const change = { refId: 'fixed', name: 'Tenth', description: 'd', additionalMetaData: { a: 'b' } };
    expect(dataOf(await api.ask(updateCoupon, { input: change }))['updateCoupon']).toEqual({
      ...blank,
      ...change,
      type: 'PERCENTAGE',
      percentOff: '10',
    });
    for (const field of [{ percentOff: 20 }, { durationInMonths: 1 }, { type: 'FIXED' }]) {
      const answer = await api.ask(updateCoupon, { input: { refId: 'fixed', ...field } });
      expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    }
  });

  it('is archived, and then stays as it is', async () => {
    dataOf(await api.ask(createCoupon, coupon('old', { percentOff: 10 })));
    const input = { input: { refId: 'old' } };
    expect(dataOf(await api.ask(archiveCoupon, input))['archiveCoupon']).toMatchObject({
      status: 'ARCHIVED',
    });
    const late = await api.ask(updateCoupon, { input: { refId: 'old', name: 'x' } });
    expect(codesOf(late)).toEqual(['VALIDATION_ERROR']);
    const lists = dataOf(
      await api.ask(`{ coupons { edges { node { refId } } }
      archived: coupons(filter: { status: { eq: ARCHIVED } }) { edges { node { refId } } } }`),
    );
    expect(JSON.stringify(lists['coupons'])).not.toContain('"old"');
    expect(lists['archived']).toEqual({ edges: [{ node: { refId: 'old' } }] });
  });

  it('is refused when its name is taken, and not found when there is none', async () => {
    await api.ask(createCoupon, coupon('taken', { percentOff: 10 }));
    expect(codesOf(await api.ask(createCoupon, coupon('taken', { percentOff: 10 })))).toEqual([
      'DUPLICATE_ENTITY',
    ]);
    const answer = await api.ask('{ coupon(refId: "none") { id } }');
    expect([codesOf(answer), answer.errors[0]?.message]).toEqual([
      ['VALIDATION_ERROR'],
      'no coupon has the refId or id "none"',
    ]);
  });
});
