import { randomUUID } from 'node:crypto';
import type { CatalogProblem } from '../../catalog/catalog-problem.ts';
import { decodeFeature, type FeatureDraft } from '../../catalog/decode-feature.ts';
import {
  archiveFeature as archived,
  changeFeature,
  type FeatureFields,
} from '../../catalog/feature-changes.ts';
import type { Feature, FeatureChange, FeatureType, MeterType } from '../../catalog/feature.ts';
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
import { catalogProblem, changedMetadata, type Input, type NameArguments, nameOf } from './catalog-call.ts';
import { featureTypeDefs } from './feature-schema.ts';

export const featureModule: ApiModule = {
  typeDefs: featureTypeDefs,
  resolvers: {
    Query: { feature, features },
    Mutation: { createFeature, updateFeature, archiveFeature },
  },
  costs: {
    'Query.feature': { weight: 10 },
    'Query.features': { weight: 50, items: pageSizeOf },
    'Mutation.createFeature': { weight: 50 },
    'Mutation.updateFeature': { weight: 50 },
    'Mutation.archiveFeature': { weight: 50 },
  },
};

async function feature(_: unknown, names: NameArguments, { services }: ApiContext): Promise<Feature> {
  const name = nameOf(names);
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
  { input }: Input<FeatureDraft>,
  { services, audit }: ApiContext,
): Promise<Feature> {
  const decoded = decodeFeature({ ...input, additionalMetaData: metadataOf(input.additionalMetaData) });
  if ('problem' in decoded) throw new ApiProblem('VALIDATION_ERROR', decoded.problem);
  const now = services.clock.now();
  const created: Feature = { id: randomUUID(), ...decoded.feature, createdAt: now, updatedAt: now };
  const outcome = await services.features.create(created, audit('createFeature'));
  if (outcome === 'created') return created;
  if (outcome === 'full') {
    throw new ApiProblem('VALIDATION_ERROR', 'the catalog holds as many features as it can');
  }
  const message = `a feature has the refId ${JSON.stringify(created.refId)} already`;
  throw new ApiProblem('DUPLICATE_ENTITY', message);
}

async function updateFeature(
  _: unknown,
  { input: { refId, ...input } }: Input<FeatureInput>,
  context: ApiContext,
): Promise<Feature> {
  const fields = { ...input, additionalMetaData: changedMetadata(input.additionalMetaData) };
  return changed('updateFeature', refId, context, (existing, now) => changeFeature(existing, fields, now));
}

interface FeatureInput extends Omit<FeatureFields, 'additionalMetaData'> {
  readonly refId: string;
  readonly additionalMetaData?: unknown;
}

async function archiveFeature(
  _: unknown,
  { input: { refId } }: Input<{ readonly refId: string }>,
  context: ApiContext,
): Promise<Feature> {
  return changed('archiveFeature', refId, context, (existing, now) => ({ feature: archived(existing, now) }));
}

async function changed(
  operation: string,
  name: string,
  { services, audit }: ApiContext,
  decide: (existing: Feature, now: number) => FeatureChange<CatalogProblem>,
): Promise<Feature> {
  const now = services.clock.now();
  const outcome = await services.features.update(name, audit(operation), (existing) => decide(existing, now));
  if (outcome === undefined) throw featureNotFound(name);
  if ('problem' in outcome) throw catalogProblem(outcome.problem);
  return outcome.feature;
}

function placeOf({ createdAt, refId }: Feature): Place {
  return { at: createdAt, name: refId };
}

function comparePlaces(a: Place, b: Place): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
