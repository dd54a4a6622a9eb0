/** Usage as of now, for checks and acknowledgements: the same figure as everywhere (I6), only faster. */
import type { Feature } from '../catalog/feature.ts';
import type { UsagePeriod } from '../entitlements/entitlement.ts';
import type { Quantity } from '../quantity.ts';

export interface UsageAsk {
  readonly customerId: string;
  readonly feature: Feature;
  /** Null: all resources of the customer together with usage that names none. */
  readonly resourceId: string | null;
  /** Null: over all time. */
  readonly period: UsagePeriod | null;
}

export interface LiveFigure {
  /** Exact, and as counted: no unit transformation is applied to it. */
  readonly usage: Quantity;
  /** Epoch ms: everything acknowledged up to then is in the figure. */
  readonly asOf: number;
}

export interface LiveUsage {
  /**
   * In the order of the asks. Includes every measurement that was acknowledged before the call, and every event
   * whose flush had ended. Asks of the same turn of the event loop share one round trip to Redis. Fails with the
   * errors of Redis and ClickHouse.
   */
  current(asks: readonly UsageAsk[]): Promise<readonly LiveFigure[]>;
}
