/** The flat body of a life-cycle webhook: what the event is, and what it is about as it is now. */
import type { Coupon } from '../catalog/coupon.ts';
import type { Feature } from '../catalog/feature.ts';
import { currentContent, latestVersion, type Package } from '../catalog/package.ts';
import type { Product } from '../catalog/product.ts';
import type { Customer } from '../customers/customer.ts';
import type { PromotionalEntitlement } from '../customers/promotional-entitlement.ts';
import type { RecordKind } from '../records/record-kinds.ts';
import type { StoredRecord } from '../records/record-store.ts';
import type { CollectedInvoice } from '../subscriptions/collected-invoice.ts';
import { cancellationDate, effectiveEndDate } from '../subscriptions/subscription-dates.ts';
import type { Subscription } from '../subscriptions/subscription.ts';
import type { ExceededUsage, LifecycleEvent } from './lifecycle-event.ts';

type Fields = Readonly<Record<string, unknown>>;

/** `records` are those that the event is about, in its order. Names, spelling and forms are those of the API. */
export function lifecyclePayload(
  event: LifecycleEvent,
  records: readonly (StoredRecord | undefined)[],
): Fields {
  const { id, type, at, actor, traceId, featureId, exceeded } = event;
  const shown = records.flatMap((record) =>
    record === undefined ? [] : Object.entries(shownBy[record.kind]?.(record.body, featureId) ?? {}),
  );
  const facts = exceeded === undefined ? {} : shownExceeded(exceeded);
  return {
    type,
    messageId: id,
    traceId,
    timestamp: instant(at),
    actor,
    ...Object.fromEntries(shown),
    ...facts,
  };
}

const shownBy: Readonly<Partial<Record<RecordKind, (body: unknown, featureId: string | null) => Fields>>> = {
  customer: (body) => ({ customer: shownCustomer(body as Customer) }),
  subscription: (body) => ({ subscription: shownSubscription(body as Subscription) }),
  product: (body) => ({ product: shownProduct(body as Product) }),
  feature: (body) => ({ feature: shownFeature(body as Feature) }),
  package: (body) => shownPackage(body as Package),
  coupon: (body) => ({ coupon: shownCoupon(body as Coupon) }),
  invoice: (body) => ({ invoice: shownInvoice(body as CollectedInvoice) }),
  'promotional-entitlement': (body, featureId) => {
    const { entitlements } = body as { readonly entitlements: readonly PromotionalEntitlement[] };
    const found = entitlements.find((item) => item.featureId === featureId);
    const revoked = { featureId };
    return { promotionalEntitlement: found === undefined ? revoked : shownPromotion(found) };
  },
};

/** Of an archived customer name and e-mail are null. */
function shownCustomer(customer: Customer): Fields {
  const { id, refId, name, email, additionalMetaData, createdAt, updatedAt } = customer;
  const dates = { createdAt: instant(createdAt), updatedAt: instant(updatedAt) };
  return { id, refId, customerId: refId, name, email, additionalMetaData, ...dates };
}

function shownSubscription(subscription: Subscription): Fields {
  const { id, refId, customerId, resourceId, productId, planId, planVersion, status } = subscription;
  const { pricingType, billingPeriod, addons, units, cancelReason, additionalMetaData } = subscription;
  const names = { id, refId, subscriptionId: refId, customerId, resourceId, productId, planId, planVersion };
  const what = { status, pricingType, billingPeriod, addons, billableFeatures: units, cancelReason };
  return {
    ...names,
    ...what,
    additionalMetaData,
    startDate: instant(subscription.startDate),
    trialEndDate: instant(subscription.trial?.endsAt ?? null),
    cancellationDate: instant(cancellationDate(subscription)),
    effectiveEndDate: instant(effectiveEndDate(subscription)),
    createdAt: instant(subscription.createdAt),
  };
}

function shownProduct({ id, refId, displayName, description, status, additionalMetaData }: Product): Fields {
  return { id, refId, displayName, description, status, additionalMetaData };
}

function shownFeature(feature: Feature): Fields {
  const { id, refId, displayName, description, featureType, meterType, featureStatus } = feature;
  const { featureUnits, featureUnitsPlural, additionalMetaData } = feature;
  const names = { id, refId, featureId: refId, displayName, description };
  return {
    ...names,
    featureType,
    meterType,
    featureStatus,
    featureUnits,
    featureUnitsPlural,
    additionalMetaData,
  };
}

/** The latest version, or the draft of one that has none. */
function shownPackage(item: Package): Fields {
  const { id, refId, type, productId, status } = item;
  const version = latestVersion(item);
  const { displayName, description, pricingType, additionalMetaData } =
    version?.content ?? currentContent(item);
  const about = { id, refId, displayName, description, productId, status, pricingType, additionalMetaData };
  const shown = { ...about, versionNumber: version?.versionNumber ?? 0 };
  return type === 'PLAN' ? { plan: shown } : { addon: shown };
}

function shownCoupon(coupon: Coupon): Fields {
  const { id, refId, name, description, type, percentOff, amountsOff, durationInMonths, status } = coupon;
  return { id, refId, name, description, type, percentOff, amountsOff, durationInMonths, status };
}

function shownInvoice(invoice: CollectedInvoice): Fields {
  const { id, billingId, status, billingReason, total, amountDue, currency, errorMessage } = invoice;
  return { id, billingId, status, billingReason, total, amountDue, currency, errorMessage };
}

function shownPromotion(item: PromotionalEntitlement): Fields {
  const { id, featureId, usageLimit, hasUnlimitedUsage, hasSoftLimit, enumValues, period } = item;
  const what = { id, featureId, usageLimit, hasUnlimitedUsage, hasSoftLimit, enumValues, period };
  return {
    ...what,
    startDate: instant(item.startDate),
    endDate: instant(item.endDate),
  };
}

function shownExceeded({
  threshold,
  currentUsage,
  usageLimit,
  resourceId,
  ...period
}: ExceededUsage): Fields {
  return {
    resource: resourceId === null ? null : { resourceId },
    threshold,
    currentUsage,
    usageLimit,
    usagePeriodStart: instant(period.usagePeriodStart),
    usagePeriodEnd: instant(period.usagePeriodEnd),
  };
}

function instant(at: number): string;
function instant(at: number | null): string | null;
function instant(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
