/** An API with the plans that the seed's examples speak of: worked examples of what its sentences promise. */
import { dataOf, type RunningApi, startApi } from './api.fixture.ts';

export type Json = Readonly<Record<string, unknown>>;

/** As the seed prints it. */
export const createSubscription = `mutation CreateSubscription($input: ProvisionSubscriptionInput!) { provisionSubscription: provisionSubscriptionV2(subscription: $input) { id refId status additionalMetaData plan { id refId } addons { quantity addon { id refId } } customer { id refId } resource { resourceId } paymentCollection latestInvoice { billingId status createdAt updatedAt requiresAction paymentUrl paymentSecret errorMessage } } }`;

export interface SeedApi {
  readonly api: RunningApi;
  /** The mutation's answer, with these fields selected. */
  run(mutation: string, input: Json, fields?: string): Promise<Json>;
  /** The query's answer. */
  ask(query: string, variables?: Json): Promise<Json>;
  /** A customer of this name, and the subscription asked for. */
  subscribed(customerId: string, input: Json): Promise<Json>;
  subscription(refId: unknown, fields: string): Promise<Json>;
  /** The plan of each of the customer's subscriptions, with its status. */
  plansOf(customerId: string): Promise<Json>;
  /** Publishes the package at this monthly price, for new subscriptions only. */
  priceAt(packageId: string, amount: number): Promise<void>;
}

export async function startSeedApi(redisUrl: string): Promise<SeedApi> {
  const api = await startApi(redisUrl);
  const ask: SeedApi['ask'] = async (query, variables) => dataOf(await api.ask(query, variables));
  const run: SeedApi['run'] = async (mutation, input, fields = 'refId') => {
    const answer = await ask(
      `mutation ($input: ${inputTypeOf(mutation)}!) { it: ${mutation}(input: $input) { ${fields} } }`,
      { input },
    );
    return answer['it'] as Json;
  };
  const subscription: SeedApi['subscription'] = async (refId, fields) =>
    (
      await ask(
        `query ($id: String!) { it: getSubscription(input: { subscriptionId: $id }) { ${fields} } }`,
        { id: refId },
      )
    )['it'] as Json;
  const priceAt: SeedApi['priceAt'] = async (packageId, amount) => {
    const price = { amount, currency: 'usd' };
    const prices = [{ billingModel: 'FLAT_FEE', billingPeriod: 'MONTHLY', price }];
    await run('setPackagePricing', { packageId, pricingType: 'PAID', prices });
    await run('publishPackage', { packageId });
  };
  const seed: SeedApi = {
    api,
    run,
    ask,
    subscription,
    priceAt,
    subscribed: async (customerId, input) => {
      await run('provisionCustomer', { customerId }, 'customer { refId }');
      const made = await ask(createSubscription, { input: { customerId, ...input } });
      return made['provisionSubscription'] as Json;
    },
    plansOf: async (customerId) => {
      const answer = await ask(
        `query ($id: String!) { it: subscriptions(filter: { customerId: { eq: $id } }) {
          edges { node { status plan { refId } } } } }`,
        { id: customerId },
      );
      const { edges } = answer['it'] as {
        readonly edges: readonly {
          readonly node: { readonly status: string; readonly plan: { readonly refId: string } };
        }[];
      };
      return Object.fromEntries(edges.map(({ node }) => [node.plan.refId, node.status]));
    },
  };
  await makeCatalog(seed);
  return seed;
}

/** Most are named by their mutation. */
function inputTypeOf(mutation: string): string {
  const others: Readonly<Record<string, string>> = {
    setPackagePricing: 'PackagePricingInput',
    updateOneCustomer: 'UpdateCustomerInput',
    updateOneSubscription: 'UpdateSubscriptionInput',
    cancelSubscription: 'SubscriptionCancellationInput',
    migrateSubscriptionToLatest: 'SubscriptionMigrationInput',
  };
  return others[mutation] ?? `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
}

async function makeCatalog(seed: SeedApi): Promise<void> {
  await seed.run('createProduct', { refId: 'revvenu', displayName: 'Revvenu' });
  const addon = { refId: 'addon-extra-stuff', displayName: 'Extra stuff', productId: 'revvenu' };
  await seed.run('createAddon', addon);
  await seed.priceAt('addon-extra-stuff', 5);
  const plan = async (refId: string, displayName: string, more: Json = {}): Promise<void> => {
    await seed.run('createPlan', {
      refId,
      displayName,
      productId: 'revvenu',
      compatibleAddonIds: ['addon-extra-stuff'],
      ...more,
    });
  };
  await plan('plan-revvenu-free', 'Free');
  await seed.run('setPackagePricing', { packageId: 'plan-revvenu-free', pricingType: 'FREE' });
  await seed.run('publishPackage', { packageId: 'plan-revvenu-free' });
  await plan('plan-revvenu-basic', 'Basic');
  await seed.priceAt('plan-revvenu-basic', 31);
  await plan('plan-revvenu-essentials', 'Essentials');
  await seed.priceAt('plan-revvenu-essentials', 62);
  const defaultTrialConfig = { duration: 14, units: 'DAY', trialEndBehavior: 'CONVERT_TO_PAID' };
  await plan('plan-revvenu-professional', 'Professional', { defaultTrialConfig });
  await seed.priceAt('plan-revvenu-professional', 310);
}
