/** What a flush works with, whatever it is of. */
import type { FeatureCatalog } from '../catalog/feature.ts';
import type { Clock } from '../clock.ts';
import type { CustomerDirectory } from '../customers/customer.ts';
import type { EntitlementSource } from '../entitlements/entitlement.ts';
import type { Delivery, Ledger } from '../queue/ledger.ts';
import type { Logger } from '../telemetry.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { FlushStore } from './flush-store.ts';
import type { IdentityTable } from './identity-table.ts';
import type { Persistence } from './persistence.ts';
import type { FlushPlan } from './plan.ts';
import type { UsageWatch } from './touched-usage.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface FlushParts {
  readonly ledger: Ledger;
  readonly store: FlushStore;
  readonly table: IdentityTable;
  readonly catalog: Pick<FeatureCatalog, 'features'>;
  readonly customers: Pick<CustomerDirectory, 'existing'>;
  readonly entitlements: EntitlementSource;
  readonly watch: UsageWatch | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: WorkerMetrics;
  readonly persistence: Persistence;
  readonly checkpoint: Checkpoint;
}

/** Whether an insert is tried for the first time, or may have been stored by an attempt before. */
export type Attempt = 'first' | 'repeat';

/** Until it succeeds; the ownership is made sure of each time, since the store knows no epochs. */
export async function insertOwned(
  { ledger, persistence }: Pick<FlushParts, 'ledger' | 'persistence'>,
  step: 'events' | 'measurements',
  attempt: Attempt,
  inserts: Readonly<Record<Attempt, () => Promise<void>>>,
  isFinal: () => Promise<boolean>,
): Promise<void> {
  let next = attempt;
  const insert = async (): Promise<void> => {
    await ledger.confirm();
    const run = inserts[next];
    next = 'repeat';
    await run();
  };
  await persistence.until(step, insert, isFinal);
}

export function deliveriesOf(plan: FlushPlan): Delivery[] {
  return plan.batches.map(({ batch }) => batch.delivery);
}
