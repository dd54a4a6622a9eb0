/** What the roles have of the records: the store that all of them use, and the guard of a worker. */
import { everybody } from '../queue/touched-customers.ts';
import type { Redis } from '../queue/redis-connection.ts';
import type { CommitListener } from '../records/change-log.ts';
import { RecordGuard } from '../records/record-guard.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { RedisRestore } from '../records/redis-restore.ts';
import { ClickhouseChangeLog } from '../store/clickhouse-change-log.ts';
import { type Engines, namespace } from './engines.ts';
import type { ThresholdPart } from './thresholds.ts';

/** Without a change log to make them again from no role runs, so all of them use open records only. */
const options = { mustBeOpen: true } as const;

export function openedRecords(redis: Redis): RedisRecordStore {
  return new RedisRecordStore(redis, namespace, options);
}

export function openedOutbox(redis: Redis): RedisOutbox {
  return new RedisOutbox(redis, namespace, options);
}

/**
 * Resolves once the records are open. The guard then watches them until the engines stop. Whose threshold was to be
 * looked at is lost with the records, so everybody is looked at once they are restored.
 */
export async function guardRecords(
  engines: Engines,
  redis: Redis,
  { listener, thresholds }: { readonly listener: CommitListener; readonly thresholds: ThresholdPart },
): Promise<RecordGuard> {
  const { log } = engines;
  const changeLog = new ClickhouseChangeLog(engines.clickhouse);
  const opener = new RedisRestore({ redis, namespace, changeLog });
  const guard = new RecordGuard({ opener, outbox: openedOutbox(redis), changeLog, listener, logger: log });
  engines.onStop(() => guard.stop());
  const opening = await guard.open();
  guard.watch();
  if (opening.outcome === 'restored') await thresholds.usageWatch?.touched.touch([everybody]);
  return guard;
}

/** Rejects while there are none that could be used. */
export async function checkRecords(redis: Redis): Promise<void> {
  await openedRecords(redis).revision('customer');
}
