import type { PricingType, TrialEndBehavior } from '../../catalog/package.ts';
import type { BillingPeriod } from '../../catalog/price.ts';
import type { SubscriptionCancellationTime } from '../../catalog/product.ts';
import type { MigrationTime } from '../../subscriptions/migrate.ts';
import type { ScheduleStrategy } from '../../subscriptions/schedule.ts';
import type { SelectionRequest } from '../../subscriptions/selection.ts';
import type {
  NewSubscription,
  SubscriptionOutcome,
  SubscriptionPlace,
} from '../../subscriptions/subscription-register.ts';
import type { UpdateRequest } from '../../subscriptions/update.ts';
import {
  accessStatuses,
  type Cancellation,
  type Subscription,
  type SubscriptionStatus,
} from '../../subscriptions/subscription.ts';
import { ApiProblem, customerNotFound } from '../api-problem.ts';
import { changedMetadata, type Input } from '../catalog/catalog-call.ts';
import { instantsOf, type InstantFilter } from '../catalog/catalog-list.ts';
import type { ApiContext, ApiModule } from '../context.ts';
import {
  type Connection,
  connectionOf,
  decodeCursor,
  encodeCursor,
  pageSizeOf,
  type PagingInput,
  pagingOf,
} from '../graphql/connection.ts';
import { metadataOf } from '../graphql/metadata.ts';
import { subscriptionFields } from './subscription-fields.ts';
import { invoiceCosts, invoiceFields, invoiceOwnFields, latestInvoice } from './subscription-invoice.ts';
import { subscriptionInputTypeDefs } from './subscription-input-schema.ts';
import { subscriptionTypeDefs } from './subscription-schema.ts';
import { termsTypeDefs } from './subscription-terms-schema.ts';
import { termsCosts, termsFields, type TermsInput, termsOf } from './subscription-terms.ts';

export const subscriptionModule: ApiModule = {
  typeDefs: subscriptionTypeDefs + subscriptionInputTypeDefs + termsTypeDefs,
  resolvers: {
    Query: { getSubscription, subscriptions, getActiveSubscriptions },
    Mutation: {
      provisionSubscriptionV2,
      provisionSubscription,
      updateOneSubscription,
      cancelSubscription,
      cancelSubscriptionUpdates,
      migrateSubscriptionToLatest,
      transferSubscriptionToResource,
      markInvoicePaid,
    },
    CustomerSubscription: { ...subscriptionFields, ...termsFields, ...invoiceFields },
    SubscriptionInvoice: invoiceOwnFields,
  },
  costs: {
    'Query.getSubscription': { weight: 10 },
    'Query.subscriptions': { weight: 50, items: pageSizeOf },
    'Query.getActiveSubscriptions': { weight: 20, items: () => 20 },
    'Mutation.provisionSubscriptionV2': { weight: 100 },
    'Mutation.provisionSubscription': { weight: 100 },
    'Mutation.updateOneSubscription': { weight: 100 },
    'Mutation.cancelSubscription': { weight: 100 },
    'Mutation.cancelSubscriptionUpdates': { weight: 100 },
    'Mutation.migrateSubscriptionToLatest': { weight: 100 },
    'Mutation.transferSubscriptionToResource': { weight: 100 },
    'Mutation.markInvoicePaid': { weight: 100 },
    ...termsCosts,
    ...invoiceCosts,
  },
};

/** Add-ons, and features, of one call. */
const listMax = 100;

interface SubscriptionName {
  readonly subscriptionId: string;
}

async function getSubscription(
  _: unknown,
  { input }: Input<SubscriptionName>,
  { services }: ApiContext,
): Promise<Subscription> {
  const { subscriptionId } = input;
  const found = await services.subscriptions.subscription(subscriptionId);
  if (found !== undefined) return found;
  const message = `no subscription has the refId or id ${JSON.stringify(subscriptionId)}`;
  throw new ApiProblem('SUBSCRIPTION_NOT_FOUND', message);
}

interface SubscriptionsArguments {
  readonly filter?: {
    readonly subscriptionId?: EqualTo<string> | null;
    readonly customerId?: EqualTo<string> | null;
    readonly planId?: EqualTo<string> | null;
    readonly productId?: EqualTo<string> | null;
    readonly resourceId?: EqualTo<string> | null;
    readonly status?: EqualTo<SubscriptionStatus> | null;
    readonly pricingType?: EqualTo<PricingType> | null;
    readonly createdAt?: InstantFilter | null;
  } | null;
  readonly paging?: PagingInput | null;
  readonly sorting?: readonly { readonly direction: 'ASC' | 'DESC' }[] | null;
}

interface EqualTo<T> {
  readonly eq?: T | null;
}

async function subscriptions(
  _: unknown,
  { filter, paging, sorting }: SubscriptionsArguments,
  { services }: ApiContext,
): Promise<Connection<Subscription>> {
  const { end, limit, after, before } = pagingOf(paging);
  const page = await services.subscriptions.page({
    filter: {
      refId: filter?.subscriptionId?.eq ?? null,
      customerId: filter?.customerId?.eq ?? null,
      planId: filter?.planId?.eq ?? null,
      productId: filter?.productId?.eq ?? null,
      resourceId: filter?.resourceId?.eq ?? null,
      status: filter?.status?.eq ?? null,
      pricingType: filter?.pricingType?.eq ?? null,
    },
    ...instantsOf(filter?.createdAt ?? {}),
    order: sorting?.[0]?.direction === 'DESC' ? 'newest-first' : 'oldest-first',
    after: placeOf(after),
    before: placeOf(before),
    end,
    limit,
  });
  return connectionOf({ ...page, items: page.subscriptions }, ({ createdAt, refId }) =>
    encodeCursor({ at: createdAt, name: refId }),
  );
}

function placeOf(cursor: string | null): SubscriptionPlace | null {
  if (cursor === null) return null;
  const { at, name } = decodeCursor(cursor);
  return { createdAt: at, refId: name };
}

async function getActiveSubscriptions(
  _: unknown,
  { input }: Input<{ readonly customerId: string; readonly resourceId?: string | null }>,
  { services }: ApiContext,
): Promise<readonly Subscription[]> {
  const { customerId, resourceId = null } = input;
  const [customer, live] = await Promise.all([
    services.customers.customer(customerId),
    services.subscriptions.live(customerId),
  ]);
  if (customer === undefined) throw customerNotFound(customerId);
  return live.filter((item) => accessStatuses.has(item.status) && item.resourceId === resourceId);
}

interface SelectionInput {
  readonly billingPeriod?: BillingPeriod | null;
  readonly addons?: readonly { readonly addonId: string; readonly quantity: number }[] | null;
  readonly billableFeatures?: readonly { readonly featureId: string; readonly quantity: number }[] | null;
  readonly unitQuantity?: number | null;
}

export interface ProvisionInput extends SelectionInput, TermsInput {
  readonly customerId: string;
  readonly planId: string;
  readonly subscriptionId?: string | null;
  readonly resourceId?: string | null;
  readonly billingCountryCode?: string | null;
  readonly startDate?: number | null;
  readonly skipTrial?: boolean | null;
  readonly trialOverrideConfiguration?: {
    readonly isTrial: boolean;
    readonly trialEndDate?: number | null;
    readonly trialEndBehavior?: TrialEndBehavior | null;
  } | null;
  readonly scheduleStrategy?: ScheduleStrategy | null;
  readonly billingCycleAnchor?: 'UNCHANGED' | 'NOW' | null;
  readonly cancellationDate?: number | null;
  readonly additionalMetaData?: unknown;
}

async function provisionSubscriptionV2(
  _: unknown,
  { subscription }: { readonly subscription: ProvisionInput },
  { services, audit }: ApiContext,
): Promise<Subscription> {
  const request = newSubscriptionOf(subscription);
  return subscriptionOf(await services.subscriptions.provision(request, audit('provisionSubscriptionV2')));
}

async function provisionSubscription(
  _: unknown,
  { input }: Input<ProvisionInput>,
  context: ApiContext,
): Promise<unknown> {
  const { services, audit } = context;
  const request = newSubscriptionOf(input);
  const outcome = await services.subscriptions.provision(request, audit('provisionSubscription'));
  const subscription = subscriptionOf(outcome);
  const isPending = subscription.status === 'PAYMENT_PENDING';
  const invoice = isPending ? await latestInvoice(subscription, undefined, context) : undefined;
  return {
    id: subscription.id,
    status: isPending ? 'PAYMENT_REQUIRED' : 'SUCCESS',
    subscription,
    checkoutUrl: invoice?.paymentUrl ?? null,
    isScheduled: subscription.status === 'NOT_STARTED',
  };
}

export interface UpdateInput extends SelectionInput, TermsInput, SubscriptionName {
  readonly trialEndDate?: number | null;
  readonly cancellationDate?: number | null;
  readonly scheduleStrategy?: ScheduleStrategy | null;
  readonly additionalMetaData?: unknown;
}

async function updateOneSubscription(
  _: unknown,
  { input }: Input<UpdateInput>,
  { services, audit }: ApiContext,
): Promise<Subscription> {
  const change = audit('updateOneSubscription');
  const request = updateRequestOf(input);
  return subscriptionOf(await services.subscriptions.update(input.subscriptionId, request, change));
}

interface CancellationInput extends SubscriptionName {
  readonly subscriptionCancellationTime?: SubscriptionCancellationTime | null;
  readonly endDate?: number | null;
  readonly subscriptionCancellationAction?: Cancellation['action'] | null;
  readonly prorate?: boolean | null;
}

async function cancelSubscription(
  _: unknown,
  { input }: Input<CancellationInput>,
  { services, audit }: ApiContext,
): Promise<Subscription> {
  const request = {
    time: input.subscriptionCancellationTime ?? null,
    endDate: input.endDate ?? null,
    action: input.subscriptionCancellationAction ?? 'DEFAULT',
    prorate: input.prorate ?? null,
  };
  const change = audit('cancelSubscription');
  return subscriptionOf(await services.subscriptions.cancel(input.subscriptionId, request, change));
}

async function cancelSubscriptionUpdates(
  _: unknown,
  { input }: Input<SubscriptionName>,
  { services, audit }: ApiContext,
): Promise<Subscription> {
  const change = audit('cancelSubscriptionUpdates');
  return subscriptionOf(await services.subscriptions.takeBackUpdates(input.subscriptionId, change));
}

async function migrateSubscriptionToLatest(
  _: unknown,
  { input }: Input<SubscriptionName & { readonly subscriptionMigrationTime?: MigrationTime | null }>,
  { services, audit }: ApiContext,
): Promise<Subscription> {
  const { subscriptionId, subscriptionMigrationTime: time } = input;
  const change = audit('migrateSubscriptionToLatest');
  return subscriptionOf(await services.subscriptions.migrate(subscriptionId, time ?? 'IMMEDIATE', change));
}

async function transferSubscriptionToResource(
  _: unknown,
  { input }: Input<SubscriptionName & { readonly destinationResourceId: string }>,
  { services, audit }: ApiContext,
): Promise<Subscription> {
  const { subscriptionId, destinationResourceId } = input;
  const change = audit('transferSubscriptionToResource');
  return subscriptionOf(await services.subscriptions.transfer(subscriptionId, destinationResourceId, change));
}

async function markInvoicePaid(
  _: unknown,
  { input }: Input<SubscriptionName>,
  { services, audit }: ApiContext,
): Promise<Subscription> {
  const change = audit('markInvoicePaid');
  return subscriptionOf(await services.subscriptions.markInvoicePaid(input.subscriptionId, change));
}

export function newSubscriptionOf(input: ProvisionInput): NewSubscription {
  const { customerId, planId, trialOverrideConfiguration: override } = input;
  return {
    ...selectionOf(input),
    ...termsOf(input),
    customerId,
    planId,
    refId: input.subscriptionId ?? null,
    resourceId: input.resourceId ?? null,
    billingCountryCode: input.billingCountryCode ?? null,
    startDate: input.startDate ?? null,
    skipTrial: input.skipTrial ?? false,
    trialOverride: override
      ? {
          isTrial: override.isTrial,
          trialEndDate: override.trialEndDate ?? null,
          trialEndBehavior: override.trialEndBehavior ?? null,
        }
      : null,
    scheduleStrategy: input.scheduleStrategy ?? null,
    billingCycleAnchor: input.billingCycleAnchor ?? 'UNCHANGED',
    cancellationDate: input.cancellationDate ?? null,
    additionalMetaData: metadataOf(input.additionalMetaData),
  };
}

export function updateRequestOf({ additionalMetaData, ...input }: UpdateInput): UpdateRequest {
  return {
    ...selectionOf(input),
    ...termsOf(input),
    trialEndDate: input.trialEndDate ?? undefined,
    cancellationDate: input.cancellationDate,
    scheduleStrategy: input.scheduleStrategy ?? null,
    additionalMetaData: changedMetadata(additionalMetaData),
  };
}

function selectionOf({
  billingPeriod = null,
  addons = null,
  billableFeatures = null,
  unitQuantity = null,
}: SelectionInput): SelectionRequest {
  for (const [name, list] of Object.entries({ addons, billableFeatures })) {
    if (list !== null && list.length > listMax) {
      throw new ApiProblem('VALIDATION_ERROR', `${name} has at most ${listMax} entries`);
    }
  }
  return { billingPeriod, addons, billableFeatures, unitQuantity };
}

function subscriptionOf(outcome: SubscriptionOutcome): Subscription {
  if ('subscription' in outcome) return outcome.subscription;
  throw new ApiProblem(outcome.problem.code, outcome.problem.message);
}
