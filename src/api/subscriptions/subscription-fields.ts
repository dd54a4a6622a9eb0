/** What a subscription shows beyond what is stored of it. */
import type { Package } from '../../catalog/package.ts';
import type { Price } from '../../catalog/price.ts';
import type { Customer } from '../../customers/customer.ts';
import type { Money } from '../../money.ts';
import { cancellationDate, currentPeriod, effectiveEndDate } from '../../subscriptions/subscription-dates.ts';
import { payerOf, recurringInvoice } from '../../subscriptions/invoice.ts';
import { pricesOf } from '../../subscriptions/subscription-price.ts';
import type { Offers, ScheduledUpdate, Subscription } from '../../subscriptions/subscription.ts';
import type { ApiContext, FieldResolvers } from '../context.ts';
import { type PackageView, versionView } from '../catalog/package-view.ts';

export const subscriptionFields: FieldResolvers = {
  subscriptionId: ({ refId }: Subscription) => refId,
  customer,
  resource: ({ resourceId }: Subscription) => (resourceId === null ? null : { resourceId }),
  plan: ({ planId, planVersion }: Subscription, _: unknown, context: ApiContext) =>
    packageVersion(planId, planVersion, context),
  addons: ({ addons }: Subscription, _: unknown, context: ApiContext) =>
    addons.map(({ addonId, version, quantity }) => ({
      quantity,
      addon: () => packageVersion(addonId, version, context),
    })),
  billableFeatures: ({ units }: Subscription) => units.filter(({ featureId }) => featureId !== null),
  unitQuantity: ({ units }: Subscription) => (units.length === 1 ? units[0]?.quantity : null),
  prices,
  totalPrice,
  endDate: ({ cancellation }: Subscription) => (cancellation?.onGivenDate === true ? cancellation.at : null),
  effectiveEndDate,
  trialEndDate: ({ trial }: Subscription) => trial?.endsAt,
  trial: ({ trial }: Subscription) => trial && { trialEndBehavior: trial.endBehavior },
  cancellationDate,
  currentBillingPeriodStart: (subscription: Subscription, _: unknown, { services }: ApiContext) =>
    currentPeriod(subscription, services.clock.now())?.start,
  currentBillingPeriodEnd: (subscription: Subscription, _: unknown, { services }: ApiContext) =>
    currentPeriod(subscription, services.clock.now())?.end,
  billingCycleAnchor: ({ billingAnchor }: Subscription) => billingAnchor,
  futureUpdates,
};

function customer(
  { customerId }: Subscription,
  _: unknown,
  { services }: ApiContext,
): Promise<Customer | undefined> {
  return services.customers.customer(customerId);
}

async function packageVersion(
  refId: string,
  version: number,
  { services }: ApiContext,
): Promise<PackageView | undefined> {
  const source = await services.catalog.package(refId);
  return source && versionView(source, version);
}

async function prices(
  subscription: Subscription,
  _: unknown,
  context: ApiContext,
): Promise<readonly Price[]> {
  return pricesOf(subscription, await offersOf(subscription, context));
}

async function totalPrice(
  subscription: Subscription,
  _: unknown,
  context: ApiContext,
): Promise<{ readonly subTotal: Money; readonly total: Money } | null> {
  const { customers, clock } = context.services;
  const [offers, payer] = await Promise.all([
    offersOf(subscription, context),
    customers.customer(payerOf(subscription)),
  ]);
  // A coupon that came inside the running period shows at once, and one of a later start before that.
  const at = Math.max(clock.now(), subscription.startDate);
  const invoice = recurringInvoice(subscription, offers, payer?.coupon ?? null, at, at);
  const { lineItems, subtotal, total } = invoice;
  return lineItems.length === 0 ? null : { subTotal: subtotal, total };
}

async function offersOf({ planId, addons }: Subscription, { services }: ApiContext): Promise<Offers> {
  const names = [planId, ...addons.map(({ addonId }) => addonId)];
  const found = await Promise.all(names.map((name) => services.catalog.package(name)));
  const packages = new Map(found.map((item, at): [string, Package | undefined] => [names[at] ?? '', item]));
  return { package: (refId) => packages.get(refId), product: () => undefined, coupon: () => undefined };
}

interface FutureUpdate {
  readonly scheduledExecutionTime: number;
  readonly scheduleStatus: 'SCHEDULED';
  readonly subscriptionScheduleType: ScheduledUpdate['type'] | 'PLAN' | 'DOWNGRADE';
  readonly targetPackage: (() => Promise<PackageView | undefined>) | null;
}

function futureUpdates(
  { scheduledUpdates, replacement }: Subscription,
  _: unknown,
  context: ApiContext,
): readonly FutureUpdate[] {
  const updates = scheduledUpdates.map(({ at, type }): FutureUpdate => update(at, type, null));
  if (replacement !== null) {
    const { at, type, planId, planVersion } = replacement;
    updates.push(update(at, type, () => packageVersion(planId, planVersion, context)));
  }
  return updates.toSorted((a, b) => a.scheduledExecutionTime - b.scheduledExecutionTime);
}

function update(
  scheduledExecutionTime: number,
  subscriptionScheduleType: FutureUpdate['subscriptionScheduleType'],
  targetPackage: FutureUpdate['targetPackage'],
): FutureUpdate {
  return { scheduledExecutionTime, scheduleStatus: 'SCHEDULED', subscriptionScheduleType, targetPackage };
}
