/** How a feature changes. */
import { type CatalogProblem, invalid } from './catalog-problem.ts';
import { decodeFeature, type FeatureDraft } from './decode-feature.ts';
import { isGiven } from './entity-fields.ts';
import type { Feature, FeatureChange } from './feature.ts';

/** All that can be changed of a feature. Undefined leaves a field as it is; null clears it. */
export interface FeatureFields {
  readonly displayName?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly featureUnits?: string | null | undefined;
  readonly featureUnitsPlural?: string | null | undefined;
  readonly enumConfiguration?: FeatureDraft['enumConfiguration'] | undefined;
  readonly unitTransformation?: FeatureDraft['unitTransformation'] | undefined;
  readonly meter?: unknown;
  readonly additionalMetaData?: FeatureDraft['additionalMetaData'] | undefined;
}

/** The very same feature when nothing changes. `now` is epoch ms. */
export function changeFeature(
  existing: Feature,
  fields: FeatureFields,
  now: number,
): FeatureChange<CatalogProblem> {
  if (existing.featureStatus === 'SUSPENDED') {
    return { problem: invalid('an archived feature cannot be changed') };
  }
  if (fields.displayName === null) return { problem: invalid('displayName cannot be cleared') };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const draft: FeatureDraft = { ...existing, ...(Object.fromEntries(given) as Partial<FeatureDraft>) };
  const problem = lostValueProblem(existing, draft);
  if (problem !== undefined) return { problem: invalid(problem) };
  const decoded = decodeFeature(draft);
  if ('problem' in decoded) return { problem: invalid(decoded.problem) };
  const { featureStatus } = existing;
  const changed: Feature = { ...existing, ...decoded.feature, featureStatus };
  const isSame = JSON.stringify(changed) === JSON.stringify(existing);
  return { feature: isSame ? existing : { ...changed, updatedAt: now } };
}

/** Archived ones are SUSPENDED: checks answer that the feature was revoked. */
export function archiveFeature(existing: Feature, now: number): Feature {
  if (existing.featureStatus === 'SUSPENDED') return existing;
  return { ...existing, featureStatus: 'SUSPENDED', updatedAt: now };
}

/** Packages may grant any value that there is, so values stay. */
function lostValueProblem(existing: Feature, { enumConfiguration }: FeatureDraft): string | undefined {
  const values = new Set((enumConfiguration ?? []).map(({ value }) => value));
  const lost = (existing.enumConfiguration ?? []).find(({ value }) => !values.has(value));
  return isGiven(lost)
    ? `enumConfiguration must keep the value ${JSON.stringify(lost.value.slice(0, 100))}: packages may grant it`
    : undefined;
}
