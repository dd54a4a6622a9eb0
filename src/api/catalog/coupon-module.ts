import { randomUUID } from 'node:crypto';
import type { CatalogDecision } from '../../catalog/catalog.ts';
import { type CatalogProblem, invalid, taken } from '../../catalog/catalog-problem.ts';
import {
  archiveCoupon as archived,
  changeCoupon,
  type ChangedCoupon,
  type CouponDraft,
  type CouponFields,
  makeCoupon,
} from '../../catalog/coupon-changes.ts';
import type { Coupon } from '../../catalog/coupon.ts';
import type { ApiContext, ApiModule } from '../context.ts';
import { type Connection, pageSizeOf } from '../graphql/connection.ts';
import { metadataOf } from '../graphql/metadata.ts';
import {
  catalogProblem,
  change,
  changedMetadata,
  type Input,
  type NameArguments,
  nameOf,
} from './catalog-call.ts';
import { catalogConnection, type ListArguments, pageQueryOf } from './catalog-list.ts';
import { couponTypeDefs } from './coupon-schema.ts';

export const couponModule: ApiModule = {
  typeDefs: couponTypeDefs,
  resolvers: {
    Query: { coupon, coupons },
    Mutation: { createCoupon, updateCoupon, archiveCoupon },
  },
  costs: {
    'Query.coupon': { weight: 10 },
    'Query.coupons': { weight: 50, items: pageSizeOf },
    'Mutation.createCoupon': { weight: 50 },
    'Mutation.updateCoupon': { weight: 50 },
    'Mutation.archiveCoupon': { weight: 50 },
  },
};

async function coupon(_: unknown, names: NameArguments, { services }: ApiContext): Promise<Coupon> {
  const name = nameOf(names);
  const found = await services.catalog.coupon(name);
  if (found === undefined) throw catalogProblem(noCoupon(name));
  return found;
}

async function coupons(
  _: unknown,
  args: ListArguments<Coupon['status']>,
  { services }: ApiContext,
): Promise<Connection<Coupon>> {
  return catalogConnection(await services.catalog.couponPage(pageQueryOf(args)));
}

type CouponInput<Fields> = Omit<Fields, 'additionalMetaData'> & {
  readonly refId: string;
  readonly additionalMetaData?: unknown;
};

function createCoupon(
  _: unknown,
  { input }: Input<CouponInput<CouponDraft>>,
  context: ApiContext,
): Promise<Coupon> {
  const { refId } = input;
  const draft: CouponDraft = { ...input, additionalMetaData: metadataOf(input.additionalMetaData) };
  const [id, now] = [randomUUID(), context.services.clock.now()];
  return change(context, 'createCoupon', { coupons: [refId] }, ({ coupons: found }) =>
    found.has(refId) ? { problem: taken('a coupon', refId) } : decisionOf(makeCoupon(draft, id, now)),
  );
}

function updateCoupon(
  _: unknown,
  { input }: Input<CouponInput<CouponFields>>,
  context: ApiContext,
): Promise<Coupon> {
  const fields: CouponFields = { ...input, additionalMetaData: changedMetadata(input.additionalMetaData) };
  return changed('updateCoupon', input.refId, context, (existing, now) =>
    changeCoupon(existing, fields, now),
  );
}

function archiveCoupon(
  _: unknown,
  { input: { refId } }: Input<{ readonly refId: string }>,
  context: ApiContext,
): Promise<Coupon> {
  return changed('archiveCoupon', refId, context, (existing, now) => ({ coupon: archived(existing, now) }));
}

function changed(
  operation: string,
  name: string,
  context: ApiContext,
  decide: (existing: Coupon, now: number) => ChangedCoupon,
): Promise<Coupon> {
  const now = context.services.clock.now();
  return change(context, operation, { coupons: [name] }, ({ coupons: found }) => {
    const existing = found.get(name);
    return existing === undefined ? { problem: noCoupon(name) } : decisionOf(decide(existing, now));
  });
}

function decisionOf(made: ChangedCoupon): CatalogDecision<Coupon> {
  if ('problem' in made) return made;
  return { changes: { coupons: [made.coupon] }, result: made.coupon };
}

/** The contract has no code of its own for it. */
function noCoupon(name: string): CatalogProblem {
  return invalid(`no coupon has the refId or id ${JSON.stringify(name)}`);
}
