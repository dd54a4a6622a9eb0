/** What grows, by which steps, and what all else is meanwhile. */
import type { Installation } from '../test/installation.ts';
import { growthCustomer, growthEventName, numberField } from './growth-bodies.ts';

export interface Load {
  readonly seconds: number;
  /** Undefined: as fast as answers come. */
  readonly eventsPerSecond: number | undefined;
  readonly connections: number;
  readonly eventsPerBody: number;
  readonly customers: number;
  readonly dimensions: number;
  /** Features with meters, and whether the meters name an event each, or none. */
  readonly features: number;
  readonly metersNameEvents: boolean;
  /** Entitlement checks of customers of a plan with all the features, in place of events. */
  readonly checks: boolean;
}

export interface Axis {
  readonly name: string;
  readonly explanation: string;
  readonly values: readonly [number, number, number];
  readonly load: (value: number) => Load;
}

const base: Load = {
  seconds: 8,
  eventsPerSecond: 20_000,
  connections: 16,
  eventsPerBody: 100,
  customers: 1_000,
  dimensions: 8,
  features: 10,
  metersNameEvents: true,
  checks: false,
};
const saturated = { eventsPerSecond: undefined } as const;
const checks = { ...saturated, checks: true } as const;

export const axes: readonly Axis[] = [
  {
    name: 'events',
    explanation: 'events a second, the last as many as there is room for',
    values: [1_000, 10_000, 100_000],
    load: (eventsPerSecond) => ({
      ...base,
      eventsPerSecond: eventsPerSecond > 50_000 ? undefined : eventsPerSecond,
    }),
  },
  {
    name: 'customers',
    explanation: 'customers that 20,000 events a second are of',
    values: [1_000, 10_000, 100_000],
    load: (customers) => ({ ...base, customers }),
  },
  {
    name: 'features',
    explanation: 'features with meters, each over events of one name; the events have twenty names',
    values: [10, 100, 1_000],
    load: (features) => ({ ...base, features }),
  },
  {
    name: 'featuresOfAnyEvent',
    explanation: 'features with meters over events of any name: each adds up a number of every event',
    values: [1, 10, 100],
    load: (features) => ({ ...base, features, metersNameEvents: false }),
  },
  {
    name: 'dimensions',
    explanation: 'dimensions of an event, as many events as there is room for',
    values: [4, 40, 400],
    load: (dimensions) => ({ ...base, ...saturated, dimensions }),
  },
  {
    name: 'connections',
    explanation: 'connections that send an event at a time, each its next one when the last one is answered',
    values: [10, 100, 1_000],
    load: (connections) => ({ ...base, ...saturated, eventsPerBody: 1, connections }),
  },
  {
    name: 'checkedCustomers',
    explanation: 'customers with a subscription, checked one after the other',
    values: [30, 300, 3_000],
    load: (customers) => ({ ...base, ...checks, customers }),
  },
  {
    name: 'checkedFeatures',
    explanation: "features of the customer's plan, one of which is checked",
    values: [4, 40, 400],
    load: (features) => ({ ...base, ...checks, customers: 100, features }),
  },
];

export async function prepareFeatures(tollgate: Installation, load: Load): Promise<void> {
  await inTurns(load.features, (feature) => {
    const named = { field: 'eventName', operation: 'EQUALS', value: growthEventName(feature) };
    const any = { field: numberField, operation: 'IS_NOT_NULL' };
    return tollgate.createFeature(featureName(feature), {
      aggregation: { function: 'SUM', field: numberField },
      filters: [{ conditions: [load.metersNameEvents ? named : any] }],
    });
  });
}

/**
 * A free plan with a monthly limit of every feature, and a subscription to it of every customer. Each is checked once: the
 * first check of a customer makes a live counter, which is a cost of its own.
 */
export async function preparePlan(tollgate: Installation, load: Load): Promise<void> {
  const entitlements = Array.from({ length: load.features }, (_, feature) => ({
    featureId: featureName(feature),
    usageLimit: 1_000_000,
    resetPeriod: 'MONTH',
  }));
  await tollgate.data(
    `mutation ($entitlements: [PackageEntitlementInput!]!) {
      createProduct(input: { refId: "product", displayName: "Product" }) { id }
      createPlan(input: { refId: "plan", displayName: "Plan", productId: "product" }) { id }
      setPackageEntitlements(input: { packageId: "plan", entitlements: $entitlements }) { id }
      setPackagePricing(input: { packageId: "plan", pricingType: FREE, prices: [] }) { id }
      publishPackage(input: { packageId: "plan" }) { versionNumber }
    }`,
    { entitlements },
  );
  await inTurns(load.customers, (customer) =>
    tollgate.data(
      'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }',
      { input: { customerId: growthCustomer(customer), subscriptionParams: { planId: 'plan' } } },
    ),
  );
  await inTurns(load.customers, async (customer) => {
    const answer = await fetch(`${tollgate.ingestUrl}${checkPath(customer)}`, {
      headers: { 'x-api-key': tollgate.apiKey },
    });
    if (!answer.ok) throw new Error(`a check was answered ${answer.status}: ${await answer.text()}`);
  });
}

export function checkPath(customer: number): string {
  return `/api/v1/customers/${growthCustomer(customer)}/entitlements/check?featureId=${featureName(0)}`;
}

function featureName(number: number): string {
  return `feature-${number}`;
}

/** A few at once: each waits for Redis. */
async function inTurns(count: number, work: (number: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) await work(number);
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}
