import { randomUUID } from 'node:crypto';
import { decodeFeature, type FeatureDraft } from '../../catalog/decode-feature.ts';
import type { Feature, FeatureType, MeterType } from '../../catalog/feature.ts';
import { ApiProblem, featureNotFound } from '../api-problem.ts';
import type { ApiContext, ApiModule } from '../context.ts';
import {
  type Connection,
  connectionOf,
  encodeCursor,
  pageOfList,
  pageSizeOf,
  type PagingInput,
  pagingOf,
  type Place,
} from '../graphql/connection.ts';
import { metadataOf } from '../graphql/metadata.ts';
import { featureTypeDefs } from './feature-schema.ts';

export const featureModule: ApiModule = {
  typeDefs: featureTypeDefs,
  resolvers: {
    Query: { feature, features },
    Mutation: { createFeature },
  },
  costs: {
    'Query.feature': { weight: 10 },
    'Query.features': { weight: 50, items: pageSizeOf },
    'Mutation.createFeature': { weight: 50 },
  },
};

async function feature(
  _: unknown,
  { id, refId }: { readonly id?: string | null; readonly refId?: string | null },
  { services }: ApiContext,
): Promise<Feature> {
  const name = refId ?? id;
  if (name === null || name === undefined) throw new ApiProblem('VALIDATION_ERROR', 'refId is required');
  const found = await services.features.feature(name);
  if (found === undefined) throw featureNotFound(name);
  return found;
}

interface FeaturesArguments {
  readonly filter?: {
    readonly refId?: { readonly eq?: string | null } | null;
    readonly featureType?: { readonly eq?: FeatureType | null } | null;
    readonly meterType?: { readonly eq?: MeterType | null } | null;
  } | null;
  readonly paging?: PagingInput | null;
  readonly sorting?: readonly { readonly direction: 'ASC' | 'DESC' }[] | null;
}

async function features(
  _: unknown,
  { filter, paging, sorting }: FeaturesArguments,
  { services }: ApiContext,
): Promise<Connection<Feature>> {
  const oldestFirst = (await services.features.features()).filter(
    (item) =>
      item.refId === (filter?.refId?.eq ?? item.refId) &&
      item.featureType === (filter?.featureType?.eq ?? item.featureType) &&
      item.meterType === (filter?.meterType?.eq ?? item.meterType),
  );
  const newestFirst = sorting?.[0]?.direction === 'DESC';
  const sign = newestFirst ? -1 : 1;
  const page = pageOfList(
    newestFirst ? oldestFirst.toReversed() : oldestFirst,
    pagingOf(paging),
    (item, place) => comparePlaces(placeOf(item), place) * sign,
  );
  return connectionOf(page, (item) => encodeCursor(placeOf(item)));
}

async function createFeature(
  _: unknown,
  { input }: { readonly input: FeatureDraft },
  { services }: ApiContext,
): Promise<Feature> {
  const decoded = decodeFeature({ ...input, additionalMetaData: metadataOf(input.additionalMetaData) });
  if ('problem' in decoded) throw new ApiProblem('VALIDATION_ERROR', decoded.problem);
  const now = services.clock.now();
  const created: Feature = { id: randomUUID(), ...decoded.feature, createdAt: now, updatedAt: now };
  const outcome = await services.features.create(created);
  if (outcome === 'created') return created;
  if (outcome === 'full') {
    throw new ApiProblem('VALIDATION_ERROR', 'the catalog holds as many features as it can');
  }
  const message = `a feature has the refId ${JSON.stringify(created.refId)} already`;
  throw new ApiProblem('DUPLICATE_ENTITY', message);
}

function placeOf({ createdAt, refId }: Feature): Place {
  return { at: createdAt, name: refId };
}

function comparePlaces(a: Place, b: Place): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
