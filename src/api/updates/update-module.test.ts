import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parseQuantity, zeroQuantity } from '../../quantity.ts';
import { codesOf, dataOf, ingestKey, type RunningApi, serverKey, startApi } from '../api.fixture.ts';

let api: RunningApi;
const headers = { 'X-API-KEY': serverKey };

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await send('createProduct', { refId: 'app', displayName: 'App' });
  await send('createFeature', {
    refId: 'seats',
    displayName: 'Seats',
    featureType: 'NUMBER',
    meterType: 'FLUCTUATING',
  });
  await send('createFeature', { refId: 'sso', displayName: 'SSO', featureType: 'BOOLEAN' });
  await send('createPlan', { refId: 'basic', displayName: 'Basic', productId: 'app' });
  const entitlements = [{ featureId: 'seats', usageLimit: 5 }];
  await send('setPackageEntitlements', { packageId: 'basic', entitlements });
  await send(
    'setPackagePricing',
    { packageId: 'basic', pricingType: 'FREE', prices: [] },
    'PackagePricingInput',
  );
  await send('publishPackage', { packageId: 'basic' });
});

afterAll(() => api.stop());

describe('usageUpdated', () => {
  const query = `subscription ($customerId: String!, $featureId: String!) { update: usageUpdated(customerId: $customerId, featureId: $featureId) {
    customerId featureId resourceId currentUsage entitlement { isGranted accessDeniedReason usageLimit } } }`;

  it('tells each change of usage, and not what was before', async () => {
    await customer('follower', 'basic');
    api.liveUsage.figures.set('seats', quantity('3'));
    const updates = await follow(query, { customerId: 'follower', featureId: 'seats' });
    api.liveUsage.figures.set('seats', quantity('4'));
    expect(await updates.next()).toEqual({
      customerId: 'follower',
      featureId: 'seats',
      resourceId: null,
      currentUsage: '4',
      entitlement: { isGranted: true, accessDeniedReason: null, usageLimit: '5' },
    });
    api.liveUsage.figures.set('seats', quantity('5'));
    expect(await updates.next()).toMatchObject({
      currentUsage: '5',
      entitlement: { isGranted: false, accessDeniedReason: 'RequestedUsageExceedingLimit' },
    });
    await updates.close();
    api.liveUsage.figures.set('seats', zeroQuantity);
  });

  it('tells what is reserved, as it changes', async () => {
    await customer('planner', 'basic');
    api.liveUsage.figures.set('seats', quantity('3'));
    const reserved = query.replace('isGranted', 'isGranted reservedUsage');
    const updates = await follow(reserved, { customerId: 'planner', featureId: 'seats' });
    for (const [reservedUsage, isGranted] of [
      ['1', true],
      ['2', false],
      ['0', true],
    ] as const) {
      api.reservations.sum = quantity(reservedUsage);
      expect(await updates.next()).toMatchObject({
        currentUsage: '3',
        entitlement: { reservedUsage, isGranted },
      });
    }
    await updates.close();
    api.liveUsage.figures.set('seats', zeroQuantity);
  });

  it('tells usage of a customer without a subscription, too', async () => {
    await customer('free-rider');
    const updates = await follow(query, { customerId: 'free-rider', featureId: 'seats' });
    api.liveUsage.figures.set('seats', quantity('1.5'));
    expect(await updates.next()).toMatchObject({
      currentUsage: '1.5',
      entitlement: { isGranted: false, accessDeniedReason: 'NoActiveSubscription' },
    });
    await updates.close();
    api.liveUsage.figures.set('seats', zeroQuantity);
  });

  it('ends when the customer is archived', async () => {
    await customer('leaving', 'basic');
    const updates = await follow(query, { customerId: 'leaving', featureId: 'seats' });
    await send('archiveCustomer', { customerId: 'leaving' });
    expect(await updates.next()).toBeUndefined();
  });

  it.each([
    [{ customerId: 'nobody', featureId: 'seats' }, 'CUSTOMER_NOT_FOUND'],
    [{ customerId: 'known', featureId: 'nothing' }, 'FEATURE_NOT_FOUND'],
    [{ customerId: 'known', featureId: 'sso' }, 'VALIDATION_ERROR'],
  ])('of %j is refused', async (variables, code) => {
    await customer('known');
    const updates = await follow(query, variables);
    await expect(updates.next()).rejects.toThrow(code);
  });
});

describe('entitlementsUpdated', () => {
  const query = `subscription ($customerId: String!) { update: entitlementsUpdated(customerId: $customerId) {
    accessDeniedReason entitlements { feature { refId } usageLimit } } }`;

  it('tells that reservations have reached the limit, and not that there are some', async () => {
    await customer('reserving', 'basic');
    const named = { customerId: 'reserving', featureId: 'seats' };
    const entitled = await follow(query.replace('usageLimit', 'isGranted reservedUsage'), named);
    // All streams look in the same turn: whatever this one tells, the other has seen.
    const seen = await follow(
      `subscription ($customerId: String!, $featureId: String!) {
        update: usageUpdated(customerId: $customerId, featureId: $featureId) { entitlement { reservedUsage } } }`,
      named,
    );
    for (const reservedUsage of ['3', '4', '5']) {
      api.reservations.sum = quantity(reservedUsage);
      expect(await seen.next()).toEqual({ entitlement: { reservedUsage } });
    }
    expect(await entitled.next()).toMatchObject({ entitlements: [{ isGranted: false, reservedUsage: '5' }] });
    await Promise.all([seen.close(), entitled.close()]);
    api.reservations.sum = zeroQuantity;
  });

  it('tells what changes the entitlements, and not usage below the limit', async () => {
    await customer('growing');
    const updates = await follow(query, { customerId: 'growing' });
    await send(
      'provisionSubscription',
      { customerId: 'growing', planId: 'basic' },
      'ProvisionSubscriptionInput',
      '{ id }',
    );
    const seats = { feature: { refId: 'seats' }, usageLimit: '5' };
    expect(await updates.next()).toEqual({ accessDeniedReason: null, entitlements: [seats] });
    api.liveUsage.figures.set('seats', quantity('2'));
    const promotionalEntitlements = [{ featureId: 'sso', period: 'LIFETIME' }];
    await send(
      'grantPromotionalEntitlements',
      { customerId: 'growing', promotionalEntitlements },
      undefined,
      '{ id }',
    );
    expect(await updates.next()).toMatchObject({ entitlements: [seats, { feature: { refId: 'sso' } }] });
    await updates.close();
    api.liveUsage.figures.set('seats', zeroQuantity);
  });
});

describe('/graphql/stream', () => {
  it("answers graphql-sse's own client, queries too", async () => {
    await customer('seen');
    const client = createClient({ url: `${api.url}/graphql/stream`, headers });
    const answers = client.iterate({
      query: '{ getCustomerByRefId(input: { customerId: "seen" }) { refId } }',
    });
    const seen = [];
    for await (const answer of answers) seen.push(answer);
    expect(seen).toEqual([{ data: { getCustomerByRefId: { refId: 'seen' } } }]);
    client.dispose();
  });

  it.each([
    ['without a key', {}, 401, 'UNAUTHENTICATED'],
    ['with a key for ingest', { 'X-API-KEY': ingestKey }, 403, 'FORBIDDEN'],
    ['for JSON', { ...headers, Accept: 'application/json' }, 406, 'UNSUPPORTED_MEDIA_TYPE'],
  ])('refuses a request %s', async (_, sent, status, code) => {
    const response = await ask('{ __typename }', sent);
    expect(response.status).toBe(status);
    expect(await codeOf(response)).toBe(code);
  });

  it.each([
    ['{ nothing }', 'VALIDATION_ERROR'],
    ['{', 'VALIDATION_ERROR'],
    ['', 'VALIDATION_ERROR'],
    [`{ ${Array.from({ length: 17 }, () => 'a {').join(' ')}`, 'VALIDATION_ERROR'],
  ])('refuses %j', async (query, code) => {
    const response = await ask(query, headers);
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe(code);
  });

  it('refuses a body that is no JSON, a mutation by GET, and a subscription elsewhere', async () => {
    const url = `${api.url}/graphql/stream`;
    const broken = await fetch(url, { method: 'POST', headers, body: '{' });
    expect([broken.status, await codeOf(broken)]).toEqual([400, 'MALFORMED_JSON']);
    const mutation = 'mutation { archiveCustomer(input: { customerId: "x" }) { id } }';
    const byGet = await fetch(`${url}?query=${encodeURIComponent(mutation)}`, { headers });
    expect([byGet.status, await codeOf(byGet)]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    const subscription = 'subscription { usageUpdated(customerId: "a", featureId: "b") { currentUsage } }';
    expect(codesOf(await api.ask(subscription))).toEqual(['VALIDATION_ERROR']);
  });
});

function ask(query: string, sent: Readonly<Record<string, string>>): Promise<Response> {
  const body = JSON.stringify({ query });
  return fetch(`${api.url}/graphql/stream`, {
    method: 'POST',
    headers: { Accept: 'text/event-stream', 'Content-Type': 'application/json', ...sent },
    body,
  });
}

async function codeOf(response: Response): Promise<unknown> {
  const { errors } = (await response.json()) as {
    readonly errors: readonly { readonly extensions: { readonly code: string; readonly traceId: string } }[];
  };
  expect(errors[0]?.extensions.traceId).toBe(response.headers.get('X-Trace-Id'));
  return errors[0]?.extensions.code;
}

interface Followed {
  /** The next update; undefined when the stream has ended. */
  next(): Promise<unknown>;
  close(): Promise<void>;
}

/** Resolves once the server answered, and so looked at the state that changes are told from. */
async function follow(query: string, variables: object): Promise<Followed> {
  const leaving = new AbortController();
  const response = await fetch(`${api.url}/graphql/stream`, {
    method: 'POST',
    headers: { Accept: 'text/event-stream', 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
    signal: leaving.signal,
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('Content-Type')).toBe('text/event-stream');
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  return {
    next: async () => {
      for (;;) {
        const message = /event: (next|complete)\n(?:data: (.*)\n|data:\n)?\n/.exec(text);
        if (message !== null) {
          text = text.slice(message.index + message[0].length);
          return message[1] === 'complete' ? undefined : updateOf(message[2] ?? '');
        }
        const { value, done } = await reader.read();
        if (done) throw new Error(`the stream ended after ${JSON.stringify(text)}`);
        text += Buffer.from(value).toString();
      }
    },
    close: async () => {
      leaving.abort();
      await reader.closed.catch(() => undefined);
    },
  };
}

function updateOf(json: string): unknown {
  const { data, errors } = JSON.parse(json) as {
    readonly data?: { readonly update: unknown } | null;
    readonly errors?: readonly { readonly extensions: { readonly code: string } }[];
  };
  if (errors !== undefined) throw new Error(errors[0]?.extensions.code);
  return data?.update;
}

async function customer(customerId: string, planId?: string): Promise<void> {
  const input = { customerId, ...(planId === undefined ? {} : { subscriptionParams: { planId } }) };
  await send('provisionCustomer', input, undefined, '{ customer { refId } }');
}

async function send(name: string, input: object, type?: string, selection = '{ refId }'): Promise<void> {
  const inputType = type ?? `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const query = `mutation ($input: ${inputType}!) { ${name}(input: $input) ${selection} }`;
  dataOf(await api.ask(query, { input }));
}

function quantity(text: string) {
  return parseQuantity(text) ?? zeroQuantity;
}
