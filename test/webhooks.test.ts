/** Webhooks of a whole installation: what is told, and that billing information is in no byte of it afterwards. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { isSignedWith, startReceiver } from '../src/webhooks/receiver.fixture.ts';
import { eventually, Installation } from './installation.ts';

const secrets = ['Vogsphere-7Q', 'Magrathea Allé 42', 'pm_heart_of_gold', 'DK-99887766', 'Trillian+45'];
const [city, addressLine1, paymentMethodId, value, note] = secrets;
const billingInformation = {
  billingAddress: { country: 'DK', city, addressLine1, postalCode: '8000' },
  shippingAddress: null,
  taxIds: [{ type: 'eu_vat', value }],
  paymentMethodId,
  currency: 'dkk',
  metadata: { note },
};
const provision =
  'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }';
const update = 'mutation ($input: UpdateCustomerInput!) { updateOneCustomer(input: $input) { id } }';

it('passes billing information on through a kill -9 of everything, and keeps nothing of it', async () => {
  const [events, billing] = [await startReceiver(), await startReceiver()];
  billing.answerAlways(503);
  const tollgate = await Installation.create({
    WEBHOOK_URL: events.url,
    BILLING_WEBHOOK_URL: billing.url,
    LOG_LEVEL: 'trace',
  });
  onTestFinished(() => tollgate.remove());
  await tollgate.start();
  await tollgate.data(provision, { input: { customerId: 'acme', name: 'Acme', billingInformation } });
  await eventually(() => billing.received.length > 0, 'the first attempt');
  expect(holders(tollgate)).toEqual([]);

  await tollgate.killAll();
  await tollgate.start();
  const partial = await tollgate.graphql(update, {
    input: { customerId: 'acme', billingInformation: { paymentMethodId } },
  });
  expect(partial.errors[0]).toMatchObject({ extensions: { code: 'VALIDATION_ERROR' } });
  billing.answerAlways(204);
  await tollgate.data(update, { input: { customerId: 'acme', billingInformation } });
  const delivered = async (): Promise<boolean> =>
    (await outcomes(tollgate, 'billing-webhooks', 'waiting')) === 0 &&
    (await outcomes(tollgate, 'billing-webhooks', 'delivered')) > 0;
  await eventually(delivered, 'the billing information to be passed on');

  const secret = readFileSync(join(tollgate.folder, 'data', 'webhook-secret'), 'utf8').trim();
  for (const name of ['webhook-secret', 'secrets-key']) {
    expect(statSync(join(tollgate.folder, 'data', name)).mode & 0o777).toBe(0o600);
  }
  const last = billing.received.at(-1);
  expect(last && isSignedWith(secret, last)).toBe(true);
  expect(last?.json).toMatchObject({ customerId: 'acme', billingInformation: { paymentMethodId } });
  await eventually(() => events.received.length > 0, 'the life-cycle event');
  expect(events.received[0]?.json).toMatchObject({ type: 'customer.created', customer: { name: 'Acme' } });
  expect(holders(tollgate)).toEqual([]);
  await tollgate.stop();
  expect(holders(tollgate)).toEqual([]);
});

it('tells of each threshold once, of a limit that is lowered too, through a kill -9 of everything', async () => {
  const events = await startReceiver();
  const tollgate = await Installation.create({ WEBHOOK_URL: events.url });
  onTestFinished(() => tollgate.remove());
  await tollgate.start();
  const seats = { featureId: 'seats', resetPeriod: 'MONTH', usageThresholds: [80, 100] };
  await sell(tollgate, { ...seats, usageLimit: 100 });
  const told = (): readonly unknown[] =>
    events.received
      .filter(({ json }) => json['type'] === 'entitlement.usage_exceeded')
      .map(({ json }) => [json['threshold'], json['currentUsage'], json['usageLimit']]);
  await use(tollgate, 45);
  await publishForAll(tollgate, { ...seats, usageLimit: 50 });
  await eventually(() => told().length > 0, 'the first threshold to be told');
  await tollgate.killAll();
  await tollgate.start();
  await use(tollgate, 3);
  await use(tollgate, 30);
  await eventually(() => told().length > 1, 'the second threshold to be told');
  await use(tollgate, 1);
  await tollgate.stop();
  expect(told()).toEqual([
    [80, '45', '50'],
    [100, '78', '50'],
  ]);
});

/** A plan that grants this, and a customer who is on it. */
async function sell(tollgate: Installation, entitlement: Record<string, unknown>): Promise<void> {
  const plan = { refId: 'pro', displayName: 'Pro', productId: 'app' };
  const feature = { refId: 'seats', displayName: 'Seats', featureType: 'NUMBER', meterType: 'FLUCTUATING' };
  const subscription = { customerId: 'acme', planId: 'pro' };
  const steps: readonly [mutation: string, type: string, input: Record<string, unknown>][] = [
    ['createProduct', 'CreateProductInput', { refId: 'app', displayName: 'App' }],
    ['createFeature', 'CreateFeatureInput', feature],
    ['createPlan', 'CreatePlanInput', plan],
    [
      'setPackageEntitlements',
      'SetPackageEntitlementsInput',
      { packageId: 'pro', entitlements: [entitlement] },
    ],
    ['setPackagePricing', 'PackagePricingInput', { packageId: 'pro', pricingType: 'FREE' }],
    ['publishPackage', 'PublishPackageInput', { packageId: 'pro' }],
    ['provisionCustomer', 'ProvisionCustomerInput', { customerId: 'acme' }],
    ['provisionSubscription', 'ProvisionSubscriptionInput', subscription],
  ];
  for (const [mutation, type, input] of steps) {
    await tollgate.data(`mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename } }`, {
      input,
    });
  }
}

async function publishForAll(tollgate: Installation, entitlement: Record<string, unknown>): Promise<void> {
  const entitlements = { packageId: 'pro', entitlements: [entitlement] };
  await tollgate.data(
    `mutation ($entitlements: SetPackageEntitlementsInput!) {
      setPackageEntitlements(input: $entitlements) { refId }
      publishPackage(input: { packageId: "pro", migrationType: ALL_CUSTOMERS }) { versionNumber } }`,
    { entitlements },
  );
}

async function use(tollgate: Installation, amount: number): Promise<void> {
  const report = 'mutation ($input: ReportUsageInput!) { reportUsage(input: $input) { id } }';
  await tollgate.data(report, { input: { customerId: 'acme', featureId: 'seats', value: amount } });
}

/** The files that hold one of the secrets, and `output` where the logs do. */
function holders({ folder, output }: Installation): readonly string[] {
  const forms = secrets.flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    ...[0, 1, 2].map((skip) => Buffer.from(text).subarray(skip).toString('base64').slice(0, -4)),
  ]);
  const holds = (content: Buffer): boolean => forms.some((form) => content.includes(form));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return [
    ...files.filter((path) => holds(contentOf(path))),
    ...(holds(Buffer.from(output)) ? ['output'] : []),
  ];
}

/** A file may be gone since it was listed. */
function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

async function outcomes(tollgate: Installation, queue: string, state: string): Promise<number> {
  const text = await (await fetch(`${tollgate.apiUrl}/metrics`)).text();
  const line = text
    .split('\n')
    .find((item) => item.includes(`queue="${queue}"`) && item.includes(`state="${state}"`));
  return Number(line?.slice(line.lastIndexOf(' ') + 1));
}
