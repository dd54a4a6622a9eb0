/** How plans and add-ons are made, edited, published and archived (facts, sections 1.5 and 1.6). */
import { type CatalogKind, type CatalogProblem, invalid, notFound } from './catalog-problem.ts';
import { descriptionProblem, isGiven, namesProblem, refIdProblem } from './entity-fields.ts';
import type { Feature } from './feature.ts';
import {
  currentContent,
  latestVersion,
  type MigrationType,
  type Package,
  type PackageContent,
  type PackageType,
  type TrialConfig,
} from './package.ts';
import type { Product } from './product.ts';

export const packageLimits = {
  relatedMax: 200,
  /** Plans above one another, from which entitlements are inherited. */
  ancestorsMax: 10,
  quantityMax: 1_000_000,
  trialDaysMax: 3_650,
  trialMonthsMax: 120,
  /** JSON of a package with all its versions, in UTF-16 units. Published versions are never dropped. */
  lengthMax: 4_194_304,
} as const;

/** Undefined leaves a field as it is; null clears it. */
export interface PackageFields {
  readonly displayName?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly additionalMetaData?: PackageContent['additionalMetaData'] | undefined;
  readonly parentPlanId?: string | null | undefined;
  readonly compatibleAddonIds?: readonly string[] | null | undefined;
  readonly defaultTrialConfig?: TrialConfig | null | undefined;
  readonly maxQuantity?: number | null | undefined;
  readonly dependencies?: readonly string[] | null | undefined;
}

/** What the fields name, by refId: the parent plan with all plans above it, and add-ons. */
export type RelatedPackages = ReadonlyMap<string, Package>;

export type ChangedPackage = { readonly package: Package } | { readonly problem: CatalogProblem };

export interface NewPackage {
  /** A new UUID. */
  readonly id: string;
  readonly refId: string;
  readonly type: PackageType;
  readonly fields: PackageFields;
  readonly product: Product;
}

export function makePackage(
  { id, refId, type, fields, product }: NewPackage,
  related: RelatedPackages,
  now: number,
): ChangedPackage {
  const problem = refIdProblem(refId);
  if (problem !== undefined) return { problem: invalid(problem) };
  if (product.status === 'ARCHIVED') {
    return { problem: invalid(`the product ${product.refId} is archived and takes no new packages`) };
  }
  const blank: Package = {
    id,
    refId,
    type,
    productId: product.refId,
    draft: emptyContent,
    versions: [],
    status: 'DRAFT',
    createdAt: now,
    updatedAt: now,
  };
  return changePackage(blank, fields, related, now);
}

/** Edits the draft, which begins as the latest version. The very same package when nothing changes. */
export function changePackage(
  existing: Package,
  fields: PackageFields,
  related: RelatedPackages,
  now: number,
): ChangedPackage {
  const content = currentContent(existing);
  const { displayName = content.displayName } = fields;
  if (displayName === null) return { problem: invalid('displayName cannot be cleared') };
  const problem = fieldsProblem({ ...fields, displayName }) ?? relatedProblem(existing, fields, related);
  if (problem !== undefined) return { problem };
  const {
    description = content.description,
    additionalMetaData = content.additionalMetaData,
    parentPlanId = content.parentPlanId,
    compatibleAddonIds = content.compatibleAddonIds,
    defaultTrialConfig = content.defaultTrialConfig,
    maxQuantity = content.maxQuantity,
    dependencies = content.dependencies,
  } = fields;
  const texts = { displayName, description, additionalMetaData };
  const relations = {
    parentPlanId,
    compatibleAddonIds: compatibleAddonIds ?? [],
    dependencies: dependencies ?? [],
  };
  return withDraft(existing, { ...texts, ...relations, defaultTrialConfig, maxQuantity }, now);
}

/** Puts these into the draft, which begins as the latest version. The very same package when nothing changes. */
export function withDraft(existing: Package, change: Partial<PackageContent>, now: number): ChangedPackage {
  if (existing.status === 'ARCHIVED')
    return { problem: invalid(`${existing.refId} is archived and cannot be changed`) };
  const content = currentContent(existing);
  const draft = { ...content, ...change };
  if (JSON.stringify(draft) === JSON.stringify(content)) return { package: existing };
  return bounded({ ...existing, draft, updatedAt: now });
}

/** `parent` is the draft's parent plan. */
export function publishPackage(
  existing: Package,
  parent: Package | undefined,
  migrationType: MigrationType,
  now: number,
): ChangedPackage {
  const { refId, draft, versions } = existing;
  if (existing.status === 'ARCHIVED')
    return { problem: invalid(`${refId} is archived and cannot be published`) };
  if (draft === null) {
    const message = `${refId} has no draft: its version ${versions.length} is published, and nothing was changed since`;
    return { problem: invalid(message) };
  }
  if (draft.parentPlanId !== null && parent?.status !== 'PUBLISHED') {
    return {
      problem: invalid(`publish the parent plan ${draft.parentPlanId} first: ${refId} inherits from it`),
    };
  }
  const version = { versionNumber: versions.length + 1, content: draft, publishedAt: now, migrationType };
  return bounded({
    ...existing,
    draft: null,
    versions: [...versions, version],
    status: 'PUBLISHED',
    updatedAt: now,
  });
}

/** Features that a published package grants are in use. */
export function inUse(feature: Feature, now: number): Feature {
  return feature.featureStatus === 'NEW' ? { ...feature, featureStatus: 'ACTIVE', updatedAt: now } : feature;
}

/** Subscriptions keep it; nobody can subscribe to it anew. */
export function archivePackage(existing: Package, now: number): Package {
  return existing.status === 'ARCHIVED' ? existing : { ...existing, status: 'ARCHIVED', updatedAt: now };
}

const emptyContent: PackageContent = {
  displayName: '',
  description: null,
  pricingType: null,
  prices: [],
  entitlements: [],
  additionalMetaData: null,
  parentPlanId: null,
  compatibleAddonIds: [],
  defaultTrialConfig: null,
  maxQuantity: null,
  dependencies: [],
};

function fieldsProblem(fields: PackageFields): CatalogProblem | undefined {
  const { displayName, description, maxQuantity, compatibleAddonIds, dependencies } = fields;
  const text = namesProblem({ displayName }) ?? descriptionProblem(description);
  if (text !== undefined) return invalid(text);
  const { quantityMax, relatedMax } = packageLimits;
  if (isGiven(maxQuantity) && (maxQuantity < 1 || maxQuantity > quantityMax)) {
    return invalid(`maxQuantity must be 1 to ${quantityMax}`);
  }
  for (const [field, names] of Object.entries({ compatibleAddonIds, dependencies })) {
    if ((names ?? []).length > relatedMax) return invalid(`${field} may name at most ${relatedMax} add-ons`);
    if (new Set(names).size < (names ?? []).length) return invalid(`${field} names an add-on twice`);
  }
  return trialProblem(fields.defaultTrialConfig);
}

function trialProblem(trial: TrialConfig | null | undefined): CatalogProblem | undefined {
  if (!isGiven(trial)) return undefined;
  const max = trial.units === 'DAY' ? packageLimits.trialDaysMax : packageLimits.trialMonthsMax;
  return trial.duration < 1 || trial.duration > max
    ? invalid(`defaultTrialConfig.duration must be 1 to ${max} with the units ${trial.units}`)
    : undefined;
}

function relatedProblem(
  existing: Package,
  { parentPlanId, compatibleAddonIds, dependencies }: PackageFields,
  related: RelatedPackages,
): CatalogProblem | undefined {
  for (const refId of [...(compatibleAddonIds ?? []), ...(dependencies ?? [])]) {
    const problem = partnerProblem(existing, 'ADDON', refId, related);
    if (problem !== undefined) return problem;
  }
  if ((dependencies ?? []).includes(existing.refId)) return invalid('an add-on cannot depend on itself');
  return isGiven(parentPlanId) ? parentProblem(existing, parentPlanId, related) : undefined;
}

function partnerProblem(
  existing: Package,
  type: PackageType,
  refId: string,
  related: RelatedPackages,
): CatalogProblem | undefined {
  const partner = related.get(refId);
  const kind: CatalogKind = type === 'PLAN' ? 'plan' : 'add-on';
  if (partner?.type !== type) return notFound(kind, refId);
  if (partner.productId !== existing.productId) {
    return invalid(
      `the ${kind} ${refId} is of the product ${partner.productId}, not of ${existing.productId}`,
    );
  }
  return partner.status === 'ARCHIVED' ? invalid(`the ${kind} ${refId} is archived`) : undefined;
}

/** What is published and what is drafted both count, so that publishing in any order closes no circle. */
function parentProblem(
  existing: Package,
  parentPlanId: string,
  related: RelatedPackages,
): CatalogProblem | undefined {
  const problem = partnerProblem(existing, 'PLAN', parentPlanId, related);
  if (problem !== undefined) return problem;
  let level = new Set([parentPlanId]);
  for (let depth = 1; depth <= packageLimits.ancestorsMax; depth += 1) {
    if (level.has(existing.refId))
      return invalid(`${existing.refId} cannot inherit from itself, not through other plans either`);
    level = new Set([...level].flatMap((refId) => parentsOf(related.get(refId))));
    if (level.size === 0) return undefined;
  }
  return invalid(`at most ${packageLimits.ancestorsMax} plans may inherit from one another`);
}

/** The plans that a plan inherits from: by its draft, and by its latest version. */
export function parentsOf(plan: Package | undefined): readonly string[] {
  if (plan === undefined) return [];
  return [plan.draft?.parentPlanId, latestVersion(plan)?.content.parentPlanId].filter(isGiven);
}

function bounded(changed: Package): ChangedPackage {
  return JSON.stringify(changed).length > packageLimits.lengthMax
    ? {
        problem: invalid(
          `${changed.refId} with all its versions is larger than a package can be; go on with a new one`,
        ),
      }
    : { package: changed };
}
