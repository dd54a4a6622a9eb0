/** The one place a number of usage comes from, whoever asks (I6). */
import type { Feature } from '../catalog/feature.ts';
import type { Quantity } from '../quantity.ts';

export interface UsageScope {
  readonly customerId: string;
  readonly feature: Feature;
  /** Empty: all resources of the customer together with usage that names none. */
  readonly resourceId: string;
}

/** Which part of a scope's usage is asked for; what is left out or null bounds nothing. */
export interface UsageBounds {
  /** What happened in [start, end), epoch ms; reported usage is folded from zero within it. */
  readonly period?: { readonly start: number; readonly end: number } | null;
  /** Only what flushes up to this one, included, have stored. */
  readonly throughFlush?: number;
  /** What was known then, epoch ms: only what had been received, with the corrections that had been made. */
  readonly asOf?: number;
}

export type UsageInterval = 'HOUR' | 'DAY' | 'WEEK' | 'MONTH';

export interface UsageHistoryQuery extends UsageScope {
  /** Half-open [start, end), epoch ms. */
  readonly start: number;
  readonly end: number;
  readonly interval: UsageInterval;
  /** IANA name; bounds of intervals follow its calendar. */
  readonly timezone: string;
  /** A dimension's key: one series a value, the 50 largest and `other`. */
  readonly groupBy: string | null;
  /** See `UsageBounds`. */
  readonly asOf?: number;
}

export interface UsagePoint {
  readonly timestamp: number;
  readonly value: Quantity;
}

export interface UsageHistory {
  readonly totalUsage: Quantity;
  readonly periods: readonly { readonly start: number; readonly end: number; readonly usage: Quantity }[];
  readonly series: readonly {
    readonly tags: readonly { readonly key: string; readonly value: string }[];
    readonly points: readonly UsagePoint[];
  }[];
  /** True when groupBy met more than 50 values, the rest being in the series `other`. */
  readonly truncated: boolean;
}

export type ReportedState = 'COUNTED' | 'CONFLICT';

/** One line of the log of what was reported. */
export interface ReportedItem {
  readonly id: string;
  readonly kind: 'EVENT' | 'MEASUREMENT';
  readonly state: ReportedState;
  readonly customerId: string;
  readonly resourceId: string;
  readonly eventName: string | null;
  readonly featureId: string | null;
  readonly idempotencyKey: string;
  readonly value: Quantity | null;
  readonly updateBehavior: 'DELTA' | 'SET' | null;
  readonly timestamp: number;
  readonly receivedAt: number;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface ReportedQuery {
  readonly customerId: string | null;
  readonly featureId: string | null;
  readonly eventName: string | null;
  readonly from: number | null;
  readonly to: number | null;
  /** Newest first (timestamp, then id): items strictly after this one; null from the newest. */
  readonly after: ReportedPlace | null;
  /** Items strictly before this one; null to the oldest. */
  readonly before: ReportedPlace | null;
  /** From which end of what is left the items are taken; they are always newest first. */
  readonly end: 'first' | 'last';
  /** 1–1,000. */
  readonly limit: number;
}

export interface ReportedPlace {
  readonly timestamp: number;
  readonly id: string;
}

export interface UsageReader {
  /** One figure, over all time unless bounded; includes every acknowledged measurement. */
  currentUsage(scope: UsageScope, bounds?: UsageBounds): Promise<Quantity>;
  history(query: UsageHistoryQuery): Promise<UsageHistory>;
  reported(query: ReportedQuery): Promise<readonly ReportedItem[]>;
}
