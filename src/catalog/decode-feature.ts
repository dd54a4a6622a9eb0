/** Checks a feature as a caller sends it (facts, section 1.7) and brings it into its one form. */
import { compareQuantities, parseQuantity, zeroQuantity } from '../quantity.ts';
import { decodeMeter } from './decode-meter.ts';
import { descriptionProblem, entityLimits, isGiven, namesProblem, refIdProblem } from './entity-fields.ts';
import type { Feature, FeatureType, MeterType, UnitTransformation } from './feature.ts';

const enumValuesMax = 500;

/** What a caller may say of a new feature; null and absent mean the same. */
export interface FeatureDraft {
  readonly refId: string;
  readonly displayName: string;
  readonly description?: string | null;
  readonly featureType: FeatureType;
  readonly meterType?: MeterType | null;
  readonly featureUnits?: string | null;
  readonly featureUnitsPlural?: string | null;
  readonly enumConfiguration?: readonly { readonly value: string; readonly displayName: string }[] | null;
  readonly unitTransformation?: {
    readonly divide: string;
    readonly round?: 'UP' | 'DOWN' | null;
    readonly featureUnits?: string | null;
    readonly featureUnitsPlural?: string | null;
  } | null;
  readonly meter?: unknown;
  readonly additionalMetaData?: Readonly<Record<string, unknown>> | null;
}

/** The feature without what the catalog gives it, or what is wrong with it as a sentence. */
export type DecodedFeature =
  | { readonly feature: Omit<Feature, 'id' | 'createdAt' | 'updatedAt'> }
  | { readonly problem: string };

export function decodeFeature(draft: FeatureDraft): DecodedFeature {
  const problem = textProblem(draft) ?? kindProblem(draft) ?? enumProblem(draft) ?? unitProblem(draft);
  if (problem !== undefined) return { problem };
  const metadata = metadataTexts(draft.additionalMetaData ?? null);
  if (metadata === undefined) return { problem: 'additionalMetaData must hold strings only' };
  const decoded = isGiven(draft.meter) ? decodeMeter(draft.meter) : { meter: null };
  if ('problem' in decoded) return decoded;
  return {
    feature: {
      refId: draft.refId,
      displayName: draft.displayName,
      description: draft.description ?? null,
      featureType: draft.featureType,
      meterType: meterTypeOf(draft),
      featureUnits: draft.featureUnits ?? null,
      featureUnitsPlural: draft.featureUnitsPlural ?? null,
      enumConfiguration: draft.enumConfiguration ?? null,
      unitTransformation: unitTransformationOf(draft),
      meter: decoded.meter,
      featureStatus: 'NEW',
      additionalMetaData: metadata,
    },
  };
}

/** A feature with a meter counts up unless its maker says otherwise. */
function meterTypeOf(draft: FeatureDraft): MeterType {
  return draft.meterType ?? (isGiven(draft.meter) ? 'INCREMENTAL' : 'None');
}

function textProblem(draft: FeatureDraft): string | undefined {
  const names = {
    displayName: draft.displayName,
    featureUnits: draft.featureUnits,
    featureUnitsPlural: draft.featureUnitsPlural,
    'unitTransformation.featureUnits': draft.unitTransformation?.featureUnits,
    'unitTransformation.featureUnitsPlural': draft.unitTransformation?.featureUnitsPlural,
  };
  return refIdProblem(draft.refId) ?? namesProblem(names) ?? descriptionProblem(draft.description);
}

function kindProblem(draft: FeatureDraft): string | undefined {
  const meterType = meterTypeOf(draft);
  if (draft.featureType !== 'NUMBER' && meterType !== 'None') {
    return `${draft.featureType} features are not metered: meterType must be None`;
  }
  if (isGiven(draft.meter) && meterType === 'None') {
    return 'a feature with a meter needs the meterType INCREMENTAL or FLUCTUATING';
  }
  return undefined;
}

function enumProblem(draft: FeatureDraft): string | undefined {
  const { nameLengthMax } = entityLimits;
  const values = draft.enumConfiguration ?? [];
  if (draft.featureType !== 'ENUM') {
    return isGiven(draft.enumConfiguration) ? 'enumConfiguration belongs to ENUM features only' : undefined;
  }
  if (values.length === 0 || values.length > enumValuesMax) {
    return `an ENUM feature needs 1 to ${enumValuesMax} values in enumConfiguration`;
  }
  if (new Set(values.map(({ value }) => value)).size < values.length) {
    return 'enumConfiguration lists a value twice';
  }
  const isName = (text: string): boolean => text !== '' && text.length <= nameLengthMax;
  return values.every(({ value, displayName }) => isName(value) && isName(displayName))
    ? undefined
    : `values of enumConfiguration and their displayName must have 1 to ${nameLengthMax} characters`;
}

function unitProblem(draft: FeatureDraft): string | undefined {
  if (!isGiven(draft.unitTransformation)) return undefined;
  if (meterTypeOf(draft) === 'None') return 'unitTransformation belongs to metered features only';
  const divide = parseQuantity(draft.unitTransformation.divide);
  return divide === undefined || compareQuantities(divide, zeroQuantity) <= 0
    ? 'unitTransformation.divide must be a number above 0'
    : undefined;
}

function unitTransformationOf(draft: FeatureDraft): UnitTransformation | null {
  if (!isGiven(draft.unitTransformation)) return null;
  const { divide, round, featureUnits = null, featureUnitsPlural = null } = draft.unitTransformation;
  return { divide, round: round ?? 'UP', featureUnits, featureUnitsPlural };
}

function metadataTexts(
  metadata: Readonly<Record<string, unknown>> | null,
): Readonly<Record<string, string>> | null | undefined {
  if (metadata === null) return null;
  return Object.values(metadata).every((value) => typeof value === 'string')
    ? (metadata as Readonly<Record<string, string>>)
    : undefined;
}
