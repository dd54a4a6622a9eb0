/**
 * What a measurement is acknowledged and refused by: limit, periods and units as they stood when its flush was
 * decided. They travel in the flush's manifest, since an entitlement may change between a crash and the redo.
 */
import type { CustomerEntitlements, Denial, EffectiveEntitlement } from '../entitlements/entitlement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { type Quantity, quantityFromClickhouse, quantityToText } from '../quantity.ts';
import type { UnitRule } from '../usage/unit-transformation.ts';
import type { UsageSpan } from './calculated-usage.ts';

export interface UsageTerms {
  /** In the units that usage is answered in; null without one. */
  readonly limit: Quantity | null;
  /** Whether the limit refuses what asks to be refused. */
  readonly isHardLimit: boolean;
  /**
   * Whose usage is told, and counts against the limit: that of the measurement's own resource, or of the customer over
   * all resources and none. It is the entitlement's, as in a check (I6); where nothing is granted, the measurement's.
   */
  readonly usageScope: 'resource' | 'customer';
  /** The current period of the entitlement; null: usage never starts from zero again. */
  readonly period: UsageSpan | null;
  /** In these, too, checks ask for the usage: they are those of hard budgets, whose live counters the worker keeps. */
  readonly chargedPeriods: readonly UsageSpan[];
  readonly units: UnitRule | null;
}

/** Where nothing is granted there is nothing to exceed (contract, 5.2 and 5.5). */
export const noTerms: UsageTerms = {
  limit: null,
  isHardLimit: false,
  usageScope: 'customer',
  period: null,
  chargedPeriods: [],
  units: null,
};

export function termsOf(
  { featureId, resourceId }: Pick<MeasurementFact, 'featureId' | 'resourceId'>,
  entitlements: CustomerEntitlements,
  units: UnitRule | null,
): UsageTerms {
  const granted = grantedTo(entitlements, featureId, resourceId);
  if ('deniedReason' in granted) {
    return { ...noTerms, usageScope: resourceId === '' ? 'customer' : 'resource', units };
  }
  const { hasUnlimitedUsage, usageLimit, hasSoftLimit, usageResourceId, usagePeriod, budgets } = granted;
  const limit = hasUnlimitedUsage ? null : usageLimit;
  return {
    limit,
    isHardLimit: limit !== null && !hasSoftLimit,
    usageScope: resourceId === '' || usageResourceId === null ? 'customer' : 'resource',
    period: usagePeriod === null ? null : spanOf(usagePeriod),
    chargedPeriods: budgets
      .filter((budget) => budget.resourceId === usageResourceId)
      .map((budget) => spanOf(budget.period)),
    units,
  };
}

function spanOf({ start, end }: UsageSpan): UsageSpan {
  return { start, end };
}

/**
 * Terms of a flush's measurements in order. Most are equal, so each different one is written once, and a number
 * for each measurement: 2 to 4 bytes, which compress.
 */
export function encodeTerms(terms: readonly UsageTerms[]): Buffer {
  if (terms.length === 0) return Buffer.alloc(0);
  const places = new Map<string, number>();
  const rows = terms.map((each) => {
    const text = JSON.stringify(toWire(each));
    const place = places.get(text) ?? places.size;
    places.set(text, place);
    return place;
  });
  return Buffer.from(`{"terms":[${[...places.keys()].join(',')}],"rows":[${rows.join(',')}]}`);
}

/** Empty for a manifest without terms. */
export function decodeTerms(encoded: Buffer): readonly UsageTerms[] {
  if (encoded.length === 0) return [];
  const { terms, rows } = JSON.parse(encoded.toString()) as { terms: WireTerms[]; rows: number[] };
  const decoded = terms.map(fromWire);
  return rows.map((place) => decoded[place] ?? noTerms);
}

/**
 * A resource that nobody has provisioned has no entitlement to be asked for, but what it uses counts against the
 * customer's: or a limit could be passed by naming one.
 */
function grantedTo(
  entitlements: CustomerEntitlements,
  featureId: string,
  resourceId: string,
): EffectiveEntitlement | Denial {
  const whole = () => entitlements.of(featureId, null);
  if (resourceId === '') return whole();
  const own = entitlements.of(featureId, resourceId);
  return 'deniedReason' in own && own.deniedReason === 'CustomerResourceNotFound' ? whole() : own;
}

interface WireTerms extends Omit<UsageTerms, 'limit'> {
  readonly limit: string | null;
}

function toWire({ limit, isHardLimit, usageScope, period, chargedPeriods, units }: UsageTerms): WireTerms {
  return {
    limit: limit === null ? null : quantityToText(limit),
    isHardLimit,
    usageScope,
    period,
    chargedPeriods,
    units: units === null ? null : { divide: units.divide, round: units.round },
  };
}

function fromWire({ limit, ...terms }: WireTerms): UsageTerms {
  return { ...terms, limit: limit === null ? null : quantityFromClickhouse(limit) };
}
