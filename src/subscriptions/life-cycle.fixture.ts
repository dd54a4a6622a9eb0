/** A small catalog, and one customer whose subscriptions change as time goes by. */
import type { Coupon } from '../catalog/coupon.ts';
import type { Package, PackageContent, MigrationType, TrialConfig } from '../catalog/package.ts';
import type { BillingPeriod, Price } from '../catalog/price.ts';
import type { Product, ProductSettings } from '../catalog/product.ts';
import { advance } from './advance.ts';
import { cancelSubscription, type CancellationRequest } from './cancel.ts';
import { migrateSubscription, type MigrationTime } from './migrate.ts';
import { provision, type PortfolioDecision, type ProvisionRequest } from './provision.ts';
import type { Offers, Portfolio, Subscription } from './subscription.ts';
import { transferSubscription } from './transfer.ts';
import { takeBackUpdates, updateSubscription, type UpdateRequest } from './update.ts';

export const at = (text: string): number => Date.parse(text.length === 10 ? `${text}T00:00:00Z` : `${text}Z`);
export const iso = (instant: number | null): string | null =>
  instant === null ? null : new Date(instant).toISOString().slice(0, 19);

export const published = at('2025-01-01');
export const dayMs = 86_400_000;

export function makeProduct(
  refId: string,
  settings: Partial<ProductSettings> = {},
  multipleSubscriptions = false,
): Product {
  return {
    id: `id-of-${refId}`,
    refId,
    displayName: refId,
    description: null,
    multipleSubscriptions,
    productSettings: {
      subscriptionStartSetup: 'PLAN_SELECTION',
      subscriptionStartPlanId: null,
      subscriptionEndSetup: 'CANCEL_SUBSCRIPTION',
      downgradePlanId: null,
      subscriptionCancellationTime: 'IMMEDIATE',
      downgradeAtEndOfBillingPeriod: false,
      prorateAtEndOfBillingPeriod: false,
      ...settings,
    },
    usageResetCutoffRule: { behavior: 'ALWAYS_RESET' },
    status: 'PUBLISHED',
    additionalMetaData: null,
    createdAt: published,
    updatedAt: published,
  };
}

export function makePlan(
  refId: string,
  productId: string,
  content: Partial<PackageContent> = {},
  type: 'PLAN' | 'ADDON' = 'PLAN',
): Package {
  const version = { versionNumber: 1, publishedAt: published, migrationType: 'NEW_CUSTOMERS' } as const;
  return {
    id: `id-of-${refId}`,
    refId,
    type,
    productId,
    draft: null,
    status: 'PUBLISHED',
    versions: [{ ...version, content: { ...emptyContent, displayName: refId, ...content } }],
    createdAt: published,
    updatedAt: published,
  };
}

export function makeCoupon(refId: string, more: Partial<Coupon>): Coupon {
  const off = more.percentOff === undefined ? 'FIXED' : 'PERCENTAGE';
  return {
    id: `id-of-${refId}`,
    refId,
    name: refId,
    description: null,
    type: off,
    percentOff: null,
    amountsOff: null,
    durationInMonths: null,
    status: 'ACTIVE',
    additionalMetaData: null,
    createdAt: 0,
    updatedAt: 0,
    ...more,
  };
}

/** The same with one more version. */
export function republished(
  item: Package,
  content: Partial<PackageContent>,
  publishedAt: number,
  migrationType: MigrationType = 'NEW_CUSTOMERS',
): Package {
  const last = item.versions.at(-1);
  const next = { ...emptyContent, ...last?.content, ...content };
  const versionNumber = item.versions.length + 1;
  const version = { versionNumber, content: next, publishedAt, migrationType };
  return { ...item, versions: [...item.versions, version] };
}

export function fee(
  amount: string,
  billingPeriod: BillingPeriod = 'MONTHLY',
  more: Partial<Price> = {},
): Price {
  return {
    id: `${billingPeriod}-${amount}`,
    billingModel: 'FLAT_FEE',
    billingPeriod,
    billingCountryCode: null,

    currency: 'usd',
    amount,
    featureId: null,
    blockSize: null,
    tiers: null,
    tiersMode: null,
    minUnitQuantity: null,
    maxUnitQuantity: null,
    ...more,
  };
}

export function paid(...prices: readonly Price[]): Partial<PackageContent> {
  return { pricingType: 'PAID', prices };
}

export const trialOf = (
  duration: number,
  trialEndBehavior: TrialConfig['trialEndBehavior'] = 'CONVERT_TO_PAID',
): Partial<PackageContent> => ({ defaultTrialConfig: { duration, units: 'DAY', trialEndBehavior } });

/** One customer, from the first day on. */
export class Account {
  now: number;
  portfolio: Portfolio = { subscriptions: [], trialedProductIds: [] };
  readonly products: Map<string, Product>;
  readonly packages: Map<string, Package>;
  readonly coupons = new Map<string, Coupon>();
  #made = 0;

  constructor(now: number, products: readonly Product[], packages: readonly Package[]) {
    this.now = now;
    this.products = new Map(products.map((product) => [product.refId, product]));
    this.packages = new Map(packages.map((item) => [item.refId, item]));
  }

  get offers(): Offers {
    return {
      product: (refId) => this.products.get(refId),
      package: (refId) => this.packages.get(refId),
      coupon: (refId) => this.coupons.get(refId),
    };
  }

  /** Time goes on to this moment. */
  until(now: number): this {
    this.now = now;
    this.portfolio = advance(this.portfolio, this.offers, now);
    return this;
  }

  find(refId: string): Subscription {
    const found = this.portfolio.subscriptions.find((subscription) => subscription.refId === refId);
    if (found === undefined) throw new Error(`no subscription ${refId}`);
    return found;
  }

  statusOf(refId: string): string {
    return this.find(refId).status;
  }

  /** Named by its plan unless it says otherwise. */
  provision(planId: string, more: Partial<ProvisionRequest> = {}): Subscription {
    const refId = more.refId ?? planId;
    this.#take(this.tryProvision(planId, { ...more, refId }));
    return this.find(refId);
  }

  tryProvision(planId: string, more: Partial<ProvisionRequest> = {}): PortfolioDecision {
    this.#made += 1;
    return provision(
      this.portfolio,
      this.offers,
      {
        refId: planId,
        id: `id-${this.#made}`,
        customerId: 'acme',
        planId,
        resourceId: null,
        billingCountryCode: null,
        startDate: null,
        skipTrial: false,
        trialOverride: null,
        scheduleStrategy: null,
        billingCycleAnchor: 'UNCHANGED',
        cancellationDate: null,
        additionalMetaData: null,
        ...nothingSelected,
        ...more,
      },
      this.now,
    );
  }

  update(refId: string, request: Partial<UpdateRequest>): Subscription {
    this.#take(this.tryUpdate(refId, request));
    return this.find(refId);
  }

  tryUpdate(refId: string, request: Partial<UpdateRequest>): PortfolioDecision {
    const nothing = { additionalMetaData: undefined, trialEndDate: undefined, cancellationDate: undefined };
    const full = { ...nothing, ...nothingSelected, scheduleStrategy: null, ...request };
    return updateSubscription(this.portfolio, this.offers, this.find(refId), full, this.now);
  }

  cancel(refId: string, request: Partial<CancellationRequest> = {}): Subscription {
    this.#take(this.tryCancel(refId, request));
    return this.find(refId);
  }

  tryCancel(refId: string, request: Partial<CancellationRequest> = {}): PortfolioDecision {
    const full = { time: null, endDate: null, action: 'DEFAULT', prorate: null, ...request } as const;
    return cancelSubscription(this.portfolio, this.offers, this.find(refId), full, this.now);
  }

  takeBack(refId: string): Subscription {
    this.#take(takeBackUpdates(this.portfolio, this.offers, this.find(refId), this.now));
    return this.find(refId);
  }

  migrate(refId: string, time: MigrationTime = 'IMMEDIATE'): Subscription {
    this.#take(this.tryMigrate(refId, time));
    return this.find(refId);
  }

  tryMigrate(refId: string, time: MigrationTime = 'IMMEDIATE'): PortfolioDecision {
    return migrateSubscription(this.portfolio, this.offers, this.find(refId), time, this.now);
  }

  transfer(refId: string, resourceId: string): Subscription {
    this.#take(this.tryTransfer(refId, resourceId));
    return this.find(refId);
  }

  tryTransfer(refId: string, resourceId: string): PortfolioDecision {
    return transferSubscription(this.portfolio, this.offers, this.find(refId), resourceId, this.now);
  }

  #take(decision: PortfolioDecision): void {
    if ('problem' in decision) throw new Error(decision.problem.message);
    this.portfolio = decision.portfolio;
  }
}

export function problemOf(decision: PortfolioDecision): string | undefined {
  return 'problem' in decision ? `${decision.problem.code}: ${decision.problem.message}` : undefined;
}

const nothingSelected = { billingPeriod: null, addons: null, billableFeatures: null, unitQuantity: null };

const emptyContent: PackageContent = {
  displayName: '',
  description: null,
  pricingType: 'FREE',
  prices: [],
  entitlements: [],
  additionalMetaData: null,
  parentPlanId: null,
  compatibleAddonIds: [],
  defaultTrialConfig: null,
  maxQuantity: null,
  dependencies: [],
};
