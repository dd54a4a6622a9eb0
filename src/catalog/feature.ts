import type { Audit } from '../records/record-store.ts';
import type { Meter } from './meter.ts';

export type FeatureType = 'BOOLEAN' | 'NUMBER' | 'ENUM';
export type MeterType = 'None' | 'FLUCTUATING' | 'INCREMENTAL';
export type FeatureStatus = 'NEW' | 'ACTIVE' | 'SUSPENDED';

/** Something a plan can grant and, when it is metered, usage can be counted of. */
export interface Feature {
  readonly id: string;
  /** The caller's name; never changes. Usage rows carry it. */
  readonly refId: string;
  readonly displayName: string;
  readonly description: string | null;
  readonly featureType: FeatureType;
  readonly meterType: MeterType;
  readonly featureUnits: string | null;
  readonly featureUnitsPlural: string | null;
  readonly enumConfiguration: readonly { readonly value: string; readonly displayName: string }[] | null;
  readonly unitTransformation: UnitTransformation | null;
  /** Present when usage comes from raw events; absent when the application reports it. */
  readonly meter: Meter | null;
  readonly featureStatus: FeatureStatus;
  readonly additionalMetaData: Readonly<Record<string, string>> | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface UnitTransformation {
  readonly divide: string;
  readonly round: 'UP' | 'DOWN';
  readonly featureUnits: string | null;
  readonly featureUnitsPlural: string | null;
}

/** Where features are kept. */
export interface FeatureCatalog {
  /** By `refId` or `id`. */
  feature(id: string): Promise<Feature | undefined>;
  /** All features, oldest first. Bounded: a catalog holds at most 10,000. */
  features(): Promise<readonly Feature[]>;
  /** `exists` when the refId is taken, `full` at the catalog's bound; nothing is changed then. */
  create(feature: Feature, audit: Audit): Promise<'created' | 'exists' | 'full'>;
  /**
   * Stores what `change`, which is pure, makes of the newest state; asks it again when somebody else changed the
   * feature meanwhile. By `refId` or `id`; undefined when there is none. The very same object changes nothing.
   */
  update<Problem>(
    id: string,
    audit: Audit,
    change: (existing: Feature) => FeatureChange<Problem>,
  ): Promise<FeatureChange<Problem> | undefined>;
}

export type FeatureChange<Problem> = { readonly feature: Feature } | { readonly problem: Problem };
