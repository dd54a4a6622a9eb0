import { isDeepStrictEqual } from 'node:util';
import type { Coupon } from '../catalog/coupon.ts';
import type { Feature } from '../catalog/feature.ts';
import { latestVersion, type Package } from '../catalog/package.ts';
import type { Product } from '../catalog/product.ts';
import type { Customer } from '../customers/customer.ts';
import type { PromotionalEntitlement } from '../customers/promotional-entitlement.ts';
import type { ChangeEntry, ChangeWrite } from '../records/change-log.ts';
import type { RecordKind } from '../records/record-kinds.ts';
import type { RecordRef } from '../records/record-store.ts';
import type { CollectedInvoice } from '../subscriptions/collected-invoice.ts';
import { accessStatuses, hasEnded, type Subscription } from '../subscriptions/subscription.ts';
import type { ThresholdRecord } from '../thresholds/threshold-record.ts';
import type { CatalogEntity, ExceededUsage, LifecycleEvent, LifecycleType } from './lifecycle-event.ts';

/** The events of a commit, in an order that is always the same: `entitlements.updated` last, once a customer. */
export function lifecycleEvents({ commit, audit, writes }: ChangeEntry): readonly LifecycleEvent[] {
  const found = writes.flatMap(findingsOf);
  const customers = new Set(found.flatMap(({ entitled }) => entitled ?? []));
  const about = (customerId: string): readonly RecordRef[] => [{ kind: 'customer', key: customerId }];
  const updated = [...customers].map((customerId): Finding => {
    return { type: 'entitlements.updated', about: about(customerId) };
  });
  const told = [...found, ...updated].filter(isEvent);
  return told.map(({ type, about: refs, featureId = null, exceeded }, place) => ({
    id: `${commit}-${place}`,
    type,
    at: audit.at,
    actor: audit.actor,
    traceId: audit.traceId,
    about: refs,
    featureId,
    ...(exceeded === undefined ? {} : { exceeded }),
  }));
}

/** Customers of whose entitlements something is another now, or gone: by refId, each once. */
export function customersGrantedOtherwise({ writes }: ChangeEntry): ReadonlySet<string> {
  const found = writes.flatMap(findingsOf);
  return new Set(found.flatMap(({ entitled, wasGranted }) => (wasGranted === true ? (entitled ?? []) : [])));
}

/** An event, a customer whose entitlements are others now, or both. */
interface Finding {
  readonly type?: LifecycleType;
  readonly about?: readonly RecordRef[];
  readonly featureId?: string;
  readonly exceeded?: ExceededUsage;
  /** The customer's refId. */
  readonly entitled?: string;
  /** Whether something was granted before in the place of what is now. */
  readonly wasGranted?: boolean;
}

function isEvent(finding: Finding): finding is Finding & Required<Pick<Finding, 'type' | 'about'>> {
  return finding.type !== undefined;
}

function findingsOf(write: ChangeWrite): readonly Finding[] {
  return findings[write.kind]?.(write) ?? [];
}

/** Kinds that are not here are our own bookkeeping. */
const findings: Readonly<Partial<Record<RecordKind, (write: ChangeWrite) => readonly Finding[]>>> = {
  product: (write) => {
    const [before, after] = bodies<Product>(write);
    return catalogFindings('product', write, before, after?.status === 'ARCHIVED');
  },
  feature: (write) => {
    const [before, after] = bodies<Feature>(write);
    return catalogFindings('feature', write, before, after?.featureStatus === 'SUSPENDED');
  },
  coupon: (write) => {
    const [before, after] = bodies<Coupon>(write);
    return catalogFindings('coupon', write, before, after?.status === 'ARCHIVED');
  },
  package: packageFindings,
  customer: customerFindings,
  subscription: subscriptionFindings,
  'promotional-entitlement': promotionalFindings,
  invoice: invoiceFindings,
  'usage-threshold': thresholdFindings,
};

function packageFindings(write: ChangeWrite): readonly Finding[] {
  const [before, after] = bodies<Package>(write);
  if (after === undefined) return [];
  const entity = after.type === 'PLAN' ? 'plan' : 'addon';
  const version = latestVersion(after)?.versionNumber;
  const isPublished = version !== undefined && version !== (before && latestVersion(before)?.versionNumber);
  if (isPublished) return [{ type: `${entity}.published`, about: [refOf(write)] }];
  return catalogFindings(entity, write, before, after.status === 'ARCHIVED');
}

function catalogFindings(
  entity: CatalogEntity,
  write: ChangeWrite,
  before: { readonly status?: string; readonly featureStatus?: string } | undefined,
  isArchived: boolean,
): readonly Finding[] {
  if (write.after === '') return [];
  const about = [refOf(write)];
  if (before === undefined) return [{ type: `${entity}.created`, about }];
  const wasArchived = before.status === 'ARCHIVED' || before.featureStatus === 'SUSPENDED';
  return [{ type: `${entity}.${isArchived && !wasArchived ? 'archived' : 'updated'}`, about }];
}

/** Whoever mirrors customers has deleted one that was archived: shown again, it is a new one to them. */
function customerFindings(write: ChangeWrite): readonly Finding[] {
  const [before, after] = bodies<Customer>(write);
  const [was, is] = [isShown(before), isShown(after)];
  const about = [refOf(write)];
  if (is) return [{ type: was ? 'customer.updated' : 'customer.created', about }];
  return was ? [{ type: 'customer.deleted', about }] : [];
}

function isShown(customer: Customer | undefined): boolean {
  return customer !== undefined && (customer.archivedAt ?? null) === null;
}

function subscriptionFindings(write: ChangeWrite): readonly Finding[] {
  const [before, after] = bodies<Subscription>(write);
  // One that is written again as it was, beside a change of its customer, is no news.
  if (after === undefined || write.before === write.after) return [];
  const { customerId, planId } = after;
  const about: readonly RecordRef[] = [
    refOf(write),
    { kind: 'customer', key: customerId },
    { kind: 'package', key: planId },
  ];
  const events = subscriptionTypes(before, after).map((type): Finding => ({ type, about }));
  const [was, is] = [whatIsGranted(before), whatIsGranted(after)];
  if (isDeepStrictEqual(was, is)) return events;
  return [...events, { entitled: customerId, wasGranted: was !== undefined }];
}

function subscriptionTypes(before: Subscription | undefined, after: Subscription): readonly LifecycleType[] {
  const types: LifecycleType[] = [];
  if (before === undefined) types.push('subscription.created');
  if (hasEnded(after) && !(before !== undefined && hasEnded(before))) {
    // What took the place of a trial of the same plan is its paid continuation.
    if (after.cancelReason === 'TRIAL_CONVERTED') types.push('subscription.trial_converted');
    types.push(after.status === 'EXPIRED' ? 'subscription.trial_expired' : 'subscription.canceled');
    return types;
  }
  if (before?.status === 'IN_TRIAL' && after.status !== 'IN_TRIAL')
    types.push('subscription.trial_converted');
  const toldAt = endsSoonToldAt(after);
  if (toldAt !== null && toldAt !== endsSoonToldAt(before)) types.push('subscription.trial.ends_soon');
  return types.length === 0 ? ['subscription.updated'] : types;
}

/** When it was noted that customers are to be told. */
function endsSoonToldAt(subscription: Subscription | undefined): number | null {
  return subscription?.trial?.endsSoonToldAt ?? null;
}

/** What a subscription adds to the customer's entitlements; undefined for nothing. */
function whatIsGranted(subscription: Subscription | undefined): unknown {
  if (subscription === undefined || !accessStatuses.has(subscription.status)) return undefined;
  const { planId, planVersion, addons, units, resourceId, usageAnchor, budget } = subscription;
  return { planId, planVersion, addons, units, resourceId, usageAnchor, budget };
}

/** Of the customer who has to pay. Trying again and failing for the same reason is no news. */
function invoiceFindings(write: ChangeWrite): readonly Finding[] {
  const [before, after] = bodies<CollectedInvoice>(write);
  const reason = after?.errorMessage ?? null;
  if (after === undefined || reason === null || reason === before?.errorMessage) return [];
  const about: readonly RecordRef[] = [
    refOf(write),
    { kind: 'customer', key: after.payerId },
    { kind: 'subscription', key: after.subscriptionId },
  ];
  return [{ type: 'customer.payment_failed', about }];
}

function promotionalFindings(write: ChangeWrite): readonly Finding[] {
  const [before, after] = bodies<{ readonly entitlements: readonly PromotionalEntitlement[] }>(write);
  const old = new Map(before?.entitlements.map((item) => [item.featureId, item]));
  const current = new Map(after?.entitlements.map((item) => [item.featureId, item]));
  const about: readonly RecordRef[] = [refOf(write), { kind: 'customer', key: write.key }];
  const events: Finding[] = [];
  for (const [featureId, item] of current) {
    const former = old.get(featureId);
    if (isDeepStrictEqual(former, item)) continue;
    const type = former === undefined ? 'promotional_entitlement.granted' : 'promotional_entitlement.updated';
    events.push({ type, about, featureId });
  }
  for (const featureId of old.keys()) {
    if (!current.has(featureId)) events.push({ type: 'promotional_entitlement.revoked', about, featureId });
  }
  if (events.length === 0) return [];
  const wasGranted = events.some(({ type }) => type !== 'promotional_entitlement.granted');
  return [...events, { entitled: write.key, wasGranted }];
}

/** Each write of one is a telling, the last in it. */
function thresholdFindings(write: ChangeWrite): readonly Finding[] {
  const [, after] = bodies<ThresholdRecord>(write);
  const telling = after?.told.at(-1);
  if (after === undefined || telling === undefined) return [];
  const { customerId, featureId, resourceId } = after;
  const about: readonly RecordRef[] = [
    { kind: 'customer', key: customerId },
    { kind: 'feature', key: featureId },
  ];
  return [{ type: 'entitlement.usage_exceeded', about, exceeded: { ...telling, resourceId } }];
}

function bodies<Body>(write: ChangeWrite): readonly [before: Body | undefined, after: Body | undefined] {
  const [before, after] = [write.before, write.after].map((text): unknown =>
    text === '' ? undefined : JSON.parse(text),
  );
  return [before as Body | undefined, after as Body | undefined];
}

function refOf({ kind, key }: ChangeWrite): RecordRef {
  return { kind, key };
}
