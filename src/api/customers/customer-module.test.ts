import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, serverKey, startApi, startOfTests } from '../api.fixture.ts';

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
        subscriptionDecisionStrategy: 'NO_SUBSCRIPTION',
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
  it('needs only the new e-mail to update the e-mail, without the rest of the customer', async () => {
    const before = await provisioned({ customerId: 'moving', name: 'Moving', email: 'old@example.com' });
    const input = { customerId: 'moving', email: 'new@example.com' };
    expect(dataOf(await api.ask(update, { input }))).toEqual({
      updateOneCustomer: { ...before, email: 'new@example.com', updatedAt: expect.any(String) },
    });
  });

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

describe('archiveCustomer', () => {
  const archive = `mutation ($input: ArchiveCustomerInput!) { archiveCustomer(input: $input) { ${fields} } }`;
  const unarchive = `mutation ($input: UnarchiveCustomerInput!) { unarchiveCustomer(input: $input) { ${fields} } }`;
  const input = { customerId: 'leaving' };
  const listed = `{ customers(filter: { customerId: { eq: "leaving" } }) { totalCount edges { node { id } } } }`;
  const question = '{ getCustomerByRefId(input: { customerId: "leaving" }) { id } }';

  it('nullifies the PII (name and e-mail), returns the customer no longer, and brings it back without them', async () => {
    const before = await provisioned({ ...input, name: 'Leaving', email: 'leaving@example.com' });
    const nameless = { ...before, name: null, email: null, updatedAt: expect.anything() };
    expect(dataOf(await api.ask(archive, { input }))).toEqual({ archiveCustomer: nameless });
    expect(codesOf(await api.ask(question))).toEqual(['CUSTOMER_NOT_FOUND']);
    expect(dataOf(await api.ask(listed))).toEqual({ customers: { totalCount: 0, edges: [] } });
    const changed = await api.ask(update, { input: { ...input, name: 'X' } });
    expect(codesOf(changed)).toEqual(['CUSTOMER_NOT_FOUND']);

    const again = await api.ask(provision, { input: { ...input, name: 'X' } });
    expect(codesOf(again)).toEqual(['DUPLICATE_ENTITY']);
    expect(again.errors[0]?.message).toContain('unarchiveCustomer');

    expect(dataOf(await api.ask(unarchive, { input }))).toEqual({ unarchiveCustomer: nameless });
    expect(dataOf(await api.ask(question))).toEqual({ getCustomerByRefId: { id: before['id'] } });
    expect(dataOf(await api.ask(unarchive, { input }))).toEqual({ unarchiveCustomer: nameless });
  });

  it('needs a customer', async () => {
    const unknown = { customerId: 'nobody' };
    expect(codesOf(await api.ask(archive, { input: unknown }))).toEqual(['CUSTOMER_NOT_FOUND']);
    expect(codesOf(await api.ask(unarchive, { input: unknown }))).toEqual(['CUSTOMER_NOT_FOUND']);
  });
});

describe('the change log', () => {
  it('is told which key changed what by which request, and never the key', async () => {
    const answer = await api.ask(provision, { input: { customerId: 'audited', name: 'Audited Name' } });
    dataOf(answer);
    const entries = await api.outbox();
    const entry = entries.find(({ writes }) => writes[0]?.key === 'audited');
    expect(entry?.audit).toEqual({
      actor: createHash('sha256').update(serverKey).digest('hex').slice(0, 8),
      traceId: answer.headers.get('X-Trace-Id'),
      operation: 'provisionCustomer',
      at: api.clock.now(),
    });
    expect(JSON.stringify(entries)).not.toContain(serverKey);
    expect(JSON.stringify(entries)).not.toContain('Audited Name');
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
