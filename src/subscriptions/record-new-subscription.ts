/** What every new subscription needs before it is decided on: a name, and room for it. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { CatalogProblem } from '../catalog/catalog-problem.ts';
import { type Audit, RecordsOverloadedError } from '../records/record-store.ts';
import type { ProvisionRequest } from './provision.ts';
import {
  type ChangeScope,
  nameOf,
  type RecordsByName,
  type Refusal,
  scopeOf,
} from './record-change-scope.ts';
import { hasEnded, type Offers, type Portfolio } from './subscription.ts';
import { subscriptionRef } from './subscription-record.ts';
import type { NewSubscription } from './subscription-register.ts';

export type NamedRequest = NewSubscription & Pick<ProvisionRequest, 'id' | 'refId'>;

/**
 * Subscriptions of one customer that have not ended. A change reads all of them, and one script of Redis takes
 * 500 writes: each of these, one that may follow it, an invoice, and the book.
 */
const liveMax = 160;

/** How many made names are tried. */
const attemptsMax = 100;

/** Made names are short, so one may be taken; then another is tried. */
export async function underFreeName<Outcome extends object>(
  request: NewSubscription,
  planId: string,
  provisionAs: (named: NamedRequest) => Promise<Outcome>,
): Promise<Outcome> {
  const id = randomUUID();
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const refId = request.refId ?? madeRefId(planId);
    const outcome = await provisionAs({ ...request, refId, id });
    if (request.refId !== null || !isTaken(outcome)) return outcome;
  }
  throw new RecordsOverloadedError('no free subscriptionId was found; send your own');
}

function isTaken(outcome: object | Refusal): boolean {
  return 'problem' in outcome && outcome.problem.code === 'DUPLICATE_ENTITY';
}

export function newScopeOf(request: NamedRequest, audit: Audit): ChangeScope & { readonly refId: string } {
  const { customerId, refId, planId, addons } = request;
  const packageNames = [planId, ...(addons ?? []).map(({ addonId }) => addonId)];
  return { ...scopeOf(request, packageNames), customerId, audit, refId };
}

/** Why there is no place for one more of this name. */
export function placeProblem(
  { refId }: NamedRequest,
  { subscriptions }: Portfolio,
  records: RecordsByName,
): CatalogProblem | undefined {
  if (records.get(nameOf(subscriptionRef(refId))) !== undefined) {
    const message = `a subscription has the refId ${JSON.stringify(refId)} already`;
    return { code: 'DUPLICATE_ENTITY', message };
  }
  if (subscriptions.filter((item) => !hasEnded(item)).length < liveMax) return undefined;
  const message = `a customer has at most ${liveMax} subscriptions that have not ended`;
  return { code: 'VALIDATION_ERROR', message };
}

export function namedByRefIds<Request extends NewSubscription>(request: Request, offers: Offers): Request {
  const planId = offers.package(request.planId)?.refId ?? request.planId;
  return { ...request, planId, addons: request.addons?.map(namedByRefId(offers)) ?? null };
}

export function namedByRefId(offers: Offers) {
  return <Named extends { readonly addonId: string }>(addon: Named): Named => ({
    ...addon,
    addonId: offers.package(addon.addonId)?.refId ?? addon.addonId,
  });
}

/** As the facts show it, section 1.0; a plan with a long name leaves it out. */
function madeRefId(planId: string): string {
  const suffix = randomBytes(3).toString('hex');
  return planId.length > 200 ? `subscription-${suffix}` : `subscription-${planId}-${suffix}`;
}
