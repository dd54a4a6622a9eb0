import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
});

afterAll(() => api.stop());

const fields = 'id refId customerId name email additionalMetaData createdAt updatedAt';
const provision = `mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) {
  customer { ${fields} } subscription { refId } entitlements { isGranted } subscriptionDecisionStrategy } }`;
const update = `mutation ($input: UpdateCustomerInput!) { updateOneCustomer(input: $input) { ${fields} } }`;

describe('provisionCustomer', () => {
  it('creates a customer, without a subscription', async () => {
    const input = {
      customerId: 'acme',
      name: 'Acme',
      email: 'a@example.com',
      additionalMetaData: { tier: 1.5 },
    };
    const now = new Date(startOfTests).toISOString();
    const { customerId: refId, ...rest } = input;
    expect(dataOf(await api.ask(provision, { input }))).toEqual({
      provisionCustomer: {
        customer: {
          ...rest,
          refId,
          customerId: refId,
          createdAt: now,
          updatedAt: now,
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        },
        subscription: null,
        entitlements: [],
        subscriptionDecisionStrategy: null,
      },
    });
  });

  it('on an existing id updates the given fields and nothing else', async () => {
    const input = { customerId: 'twice', name: 'Twice', email: 'twice@example.com' };
    const first = await provisioned(input);
    const second = await provisioned({ customerId: 'twice', name: 'New' });
    expect(second).toEqual({ ...first, name: 'New' });
    expect(await provisioned({ customerId: 'twice' })).toEqual(second);
  });

  it('makes an id where none is given', async () => {
    const made = await provisioned({ name: 'Someone' });
    expect(made['refId']).toMatch(/^customer-[0-9a-f]{6}$/);
    const { getCustomerByRefId } = dataOf(
      await api.ask(`{ getCustomerByRefId(input: { customerId: "${String(made['refId'])}" }) { name } }`),
    );
    expect(getCustomerByRefId).toEqual({ name: 'Someone' });
  });

  it.each([
    ['an id with a space', { customerId: 'a b' }],
    ['an empty id', { customerId: '' }],
    ['an e-mail that is none', { email: 'nobody' }],
    [
      'metadata with a number that JSON programs would round',
      '{"additionalMetaData":{"n":12345678901234567890}}',
    ],
  ])('refuses %s', async (_, input) => {
    const variables = typeof input === 'string' ? input : JSON.stringify(input);
    const answer = await api.send(
      `{"query":${JSON.stringify(provision)},"variables":{"input":${variables}}}`,
    );
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
  });
});

describe('updateOneCustomer', () => {
  it('changes only what is given, and clears what is null', async () => {
    const before = await provisioned({ customerId: 'changing', name: 'Old', email: 'old@example.com' });
    api.clock.advance(5);
    const input = { customerId: 'changing', email: 'new@example.com', name: null };
    expect(dataOf(await api.ask(update, { input }))).toEqual({
      updateOneCustomer: {
        ...before,
        name: null,
        email: 'new@example.com',
        updatedAt: new Date(startOfTests + 5).toISOString(),
      },
    });
  });

  it('loses none of 50 changes of different fields that are made at once', async () => {
    await provisioned({ customerId: 'busy' });
    const changes = Array.from({ length: 50 }, (_, at) =>
      at % 2 === 0 ? { name: `name-${at}` } : { email: `e${at}@example.com` },
    );
    await Promise.all(
      changes.map(async (change) => dataOf(await api.ask(update, { input: { refId: 'busy', ...change } }))),
    );
    const { getCustomerByRefId: after } = dataOf(
      await api.ask('{ getCustomerByRefId(input: { refId: "busy" }) { name email } }'),
    );
    expect(after).toEqual({
      name: expect.stringMatching(/^name-\d+$/),
      email: expect.stringMatching(/^e\d+@example\.com$/),
    });
  });

  it('knows only provisioned customers', async () => {
    const answer = await api.ask(update, { input: { customerId: 'unknown', name: 'X' } });
    expect(codesOf(answer)).toEqual(['CUSTOMER_NOT_FOUND']);
    const question = '{ getCustomerByRefId(input: { customerId: "unknown" }) { id } }';
    expect(codesOf(await api.ask(question))).toEqual(['CUSTOMER_NOT_FOUND']);
  });

  it('needs to know which customer', async () => {
    expect(codesOf(await api.ask(update, { input: { name: 'X' } }))).toEqual(['VALIDATION_ERROR']);
    const two = { customerId: 'a', refId: 'b', name: 'X' };
    expect(codesOf(await api.ask(update, { input: two }))).toEqual(['VALIDATION_ERROR']);
  });
});

describe('customers', () => {
  it('are walked page by page, also while new ones come', async () => {
    const own = await startApi(inject('redisUrl'));
    const add = async (customerId: string): Promise<void> => {
      dataOf(await own.ask(provision, { input: { customerId, email: 'same@example.com' } }));
      own.clock.advance(1);
    };
    for (const customerId of ['e', 'd', 'c', 'b', 'a']) await add(customerId);
    const list = `query ($paging: CursorPaging, $filter: CustomerFilter, $sorting: [CustomerSort!]) {
      customers(paging: $paging, filter: $filter, sorting: $sorting) {
        totalCount pageInfo { hasNextPage endCursor } edges { node { refId } } } }`;
    const walk = async (variables: Readonly<Record<string, unknown>>): Promise<string> => {
      let refIds = '';
      let after: string | null = null;
      for (let hasNextPage = true; hasNextPage; ) {
        const answer: CustomersAnswer = dataOf(
          await own.ask(list, { ...variables, paging: { first: 2, after } }),
        )['customers'] as CustomersAnswer;
        refIds += answer.edges.map(({ node }) => node.refId).join('');
        ({ hasNextPage, endCursor: after } = answer.pageInfo);
        if (refIds.length === 2) await add('z');
      }
      return refIds;
    };
    expect(await walk({})).toBe('edcbaz');
    expect(await walk({ sorting: [{ field: 'createdAt', direction: 'DESC' }] })).toBe('zabcde');
    const from = new Date(startOfTests + 1).toISOString();
    const to = new Date(startOfTests + 3).toISOString();
    expect(await walk({ filter: { createdAt: { gte: from, lt: to } } })).toBe('dc');
    expect(
      await walk({ filter: { createdAt: { gt: from, lte: to }, email: { eq: 'same@example.com' } } }),
    ).toBe('cb');
    expect(await walk({ filter: { customerId: { eq: 'b' } } })).toBe('b');
    await own.stop();
  });
});

interface CustomersAnswer {
  readonly edges: readonly { readonly node: { readonly refId: string } }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

async function provisioned(input: unknown): Promise<Readonly<Record<string, unknown>>> {
  const { provisionCustomer } = dataOf(await api.ask(provision, { input }));
  return (provisionCustomer as { customer: Readonly<Record<string, unknown>> }).customer;
}
