import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;
let customerId = '';
let customers = 0;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await send('createFeature', 'CreateFeatureInput', {
    refId: 'sso',
    displayName: 'SSO',
    featureType: 'BOOLEAN',
  });
  await send('createFeature', 'CreateFeatureInput', {
    refId: 'seats',
    displayName: 'Seats',
    featureType: 'NUMBER',
    meterType: 'FLUCTUATING',
  });
});

afterAll(() => api.stop());

beforeEach(async () => {
  customers += 1;
  customerId = `customer-${customers}`;
  await send('provisionCustomer', 'ProvisionCustomerInput', { customerId }, 'customer { id }');
});

describe('grantPromotionalEntitlements', () => {
  it('grants features beside what is bought', async () => {
    const seats = {
      featureId: 'seats',
      usageLimit: 12.5,
      hasSoftLimit: true,
      isVisible: false,
      resetPeriod: 'MONTH',
      resetPeriodConfiguration: { accordingTo: 'StartOfTheMonth' },
      period: 'SIX_MONTH',
      description: 'for a talk',
    };
    const answer = await api.ask(grant, inputOf([seats, { featureId: 'sso' }]));
    const startDate = new Date(startOfTests).toISOString();
    const common = { id: expect.any(String), customerId, startDate, status: 'Active', enumValues: null };
    expect(dataOf(answer)['grantPromotionalEntitlements']).toEqual([
      {
        ...common,
        ...seats,
        usageLimit: '12.5',
        hasUnlimitedUsage: false,
        feature: { displayName: 'Seats' },
        endDate: '2026-11-01T12:00:00.000Z',
      },
      {
        ...common,
        featureId: 'sso',
        usageLimit: null,
        hasUnlimitedUsage: false,
        hasSoftLimit: false,
        isVisible: true,
        resetPeriod: null,
        resetPeriodConfiguration: null,
        period: 'LIFETIME',
        description: null,
        feature: { displayName: 'SSO' },
        endDate: null,
      },
    ]);
    expect(await shown()).toEqual([
      { featureId: 'seats', status: 'Active' },
      { featureId: 'sso', status: 'Active' },
    ]);
  });

  it('takes the place of a grant of the same feature', async () => {
    dataOf(await api.ask(grant, inputOf([{ featureId: 'seats', usageLimit: 5 }])));
    dataOf(await api.ask(grant, inputOf([{ featureId: 'seats', usageLimit: '7' }])));
    const [only, ...others] = await shown('usageLimit');
    expect([only, others]).toEqual([{ usageLimit: '7' }, []]);
  });

  it('grants nothing where one of them is wrong', async () => {
    const wrong = async (input: object): Promise<readonly unknown[]> =>
      codesOf(await api.ask(grant, inputOf([{ featureId: 'seats' }, input])));
    expect(await wrong({ featureId: 'nothing' })).toEqual(['FEATURE_NOT_FOUND']);
    expect(await wrong({ featureId: 'sso', usageLimit: 1 })).toEqual(['VALIDATION_ERROR']);
    expect(await wrong({ featureId: 'sso', period: 'CUSTOM' })).toEqual(['VALIDATION_ERROR']);
    expect(codesOf(await api.ask(grant, inputOf([{ featureId: 'sso' }], 'nobody')))).toEqual([
      'CUSTOMER_NOT_FOUND',
    ]);
    expect(await shown()).toEqual([]);
  });

  it('loses none of 20 grants and revocations of different features that are made at once', async () => {
    dataOf(await api.ask(grant, inputOf([{ featureId: 'sso' }])));
    const grants = Array.from({ length: 19 }, (_, at) =>
      api.ask(grant, inputOf([{ featureId: 'seats', usageLimit: at }])),
    );
    const answers = await Promise.all([...grants, api.ask(revoke, revocationOf('sso'))]);
    expect(answers.flatMap(codesOf)).toEqual([]);
    expect(await shown()).toEqual([{ featureId: 'seats', status: 'Active' }]);
  });

  it('holds until its end, and is shown as expired then', async () => {
    const own = await startApi(inject('redisUrl'));
    await send(
      'createFeature',
      'CreateFeatureInput',
      { refId: 'sso', displayName: 'SSO', featureType: 'BOOLEAN' },
      'id',
      own,
    );
    await send('provisionCustomer', 'ProvisionCustomerInput', { customerId }, 'customer { id }', own);
    dataOf(await own.ask(grant, inputOf([{ featureId: 'sso', period: 'ONE_WEEK' }])));
    own.clock.advance(7 * 86_400_000 - 1);
    expect(await shown('status', own)).toEqual([{ status: 'Active' }]);
    own.clock.advance(1);
    expect(await shown('status', own)).toEqual([{ status: 'Expired' }]);
    await own.stop();
  });
});

describe('revokePromotionalEntitlement', () => {
  it('takes it away, and answers it as it ended', async () => {
    dataOf(await api.ask(grant, inputOf([{ featureId: 'sso' }, { featureId: 'seats' }])));
    const ended = { featureId: 'sso', status: 'Expired', endDate: new Date(startOfTests).toISOString() };
    expect(dataOf(await api.ask(revoke, revocationOf('sso')))).toEqual({
      revokePromotionalEntitlement: ended,
    });
    expect(await shown()).toEqual([{ featureId: 'seats', status: 'Active' }]);
  });

  it('needs a customer, a feature, and a grant of it', async () => {
    expect(codesOf(await api.ask(revoke, revocationOf('sso')))).toEqual(['VALIDATION_ERROR']);
    expect(codesOf(await api.ask(revoke, revocationOf('nothing')))).toEqual(['FEATURE_NOT_FOUND']);
    expect(codesOf(await api.ask(revoke, revocationOf('sso', 'nobody')))).toEqual(['CUSTOMER_NOT_FOUND']);
  });
});

describe("an archived customer's promotional entitlements", () => {
  it('show nowhere, and count again after unarchiving', async () => {
    dataOf(await api.ask(grant, inputOf([{ featureId: 'sso' }])));
    const archived = await send(
      'archiveCustomer',
      'ArchiveCustomerInput',
      { customerId },
      'promotionalEntitlements { id } totalActivePromotionalEntitlements',
    );
    expect(archived).toEqual({ promotionalEntitlements: [], totalActivePromotionalEntitlements: 0 });
    expect(codesOf(await api.ask(grant, inputOf([{ featureId: 'sso' }])))).toEqual(['CUSTOMER_NOT_FOUND']);
    expect(codesOf(await api.ask(revoke, revocationOf('sso')))).toEqual(['CUSTOMER_NOT_FOUND']);
    await send('unarchiveCustomer', 'UnarchiveCustomerInput', { customerId });
    expect(await shown()).toEqual([{ featureId: 'sso', status: 'Active' }]);
  });
});

const grant = `mutation ($input: GrantPromotionalEntitlementsInput!) { grantPromotionalEntitlements(input: $input) {
  id customerId featureId feature { displayName } description usageLimit hasUnlimitedUsage hasSoftLimit enumValues
  isVisible resetPeriod resetPeriodConfiguration { accordingTo } period status startDate endDate } }`;
const revoke = `mutation ($input: RevokePromotionalEntitlementInput!) {
  revokePromotionalEntitlement(input: $input) { featureId status endDate } }`;

function inputOf(promotionalEntitlements: readonly object[], to = customerId): object {
  return { input: { customerId: to, promotionalEntitlements } };
}

function revocationOf(featureId: string, from = customerId): object {
  return { input: { customerId: from, featureId } };
}

async function shown(fields = 'featureId status', from = api): Promise<readonly unknown[]> {
  const question = `query ($input: GetCustomerByRefIdInput!) {
    getCustomerByRefId(input: $input) { promotionalEntitlements { ${fields} } } }`;
  const { getCustomerByRefId } = dataOf(await from.ask(question, { input: { customerId } }));
  return (getCustomerByRefId as { readonly promotionalEntitlements: readonly unknown[] })
    .promotionalEntitlements;
}

async function send(field: string, type: string, input: object, fields = 'id', to = api): Promise<unknown> {
  const query = `mutation ($input: ${type}!) { ${field}(input: $input) { ${fields} } }`;
  return dataOf(await to.ask(query, { input }))[field];
}
