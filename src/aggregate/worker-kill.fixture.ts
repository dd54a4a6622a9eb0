/**
 * A worker process that kills itself. Takes the URLs of Redis and ClickHouse, the namespace and the database; loads
 * all it needs, then waits for one line on its standard input: a `WorkerLife` as JSON.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import { systemClock } from '../clock.ts';
import { RecordCustomerDirectory } from '../customers/record-customer-directory.ts';
import { RecordEntitlements } from '../entitlements/record-entitlements.ts';
import { openRedis } from '../queue/redis-connection.ts';
import { queueKeys } from '../queue/redis-keys.ts';
import { RedisLedger } from '../queue/redis-ledger.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { createClickhouseClient } from '../store/clickhouse-client.ts';
import { ClickhouseFlushStore } from '../store/clickhouse-flush-store.ts';
import { makeLogger, makeRegistry } from '../telemetry.ts';
import type { CheckpointName } from './checkpoint.ts';
import { AggregateWorker } from './worker.ts';

export interface Death {
  /** A named point of a flush, or the moment at which the process owns the shard. */
  readonly at: CheckpointName | 'takeover';
  /** Which time it comes there, from 1. */
  readonly visit: number;
  readonly afterMs: number;
}

export interface WorkerLife {
  readonly rowsMax: number;
  readonly windowMs: number;
  /** Null: it lives on. */
  readonly death: Death | null;
}

/** The timer starts when the shard is taken over, so it may fire in the middle of a recovery as well. */
class DoomedLedger extends RedisLedger {
  override async acquire(signal: AbortSignal): Promise<void> {
    await super.acquire(signal);
    if (death?.at === 'takeover') setTimeout(die, death.afterMs);
  }
}

const [redisUrl = '', clickhouseUrl = '', namespace = '', database = ''] = process.argv.slice(2);
const redis = openRedis(redisUrl, 'worker');
const [line] = (await once(createInterface(process.stdin), 'line')) as [string];
const { rowsMax, windowMs, death } = JSON.parse(line) as WorkerLife;
let visits = 0;
const records = new RedisRecordStore(redis, namespace);
const features = new RecordFeatureCatalog(records);
const worker = new AggregateWorker({
  ledger: new DoomedLedger({ redis, keys: queueKeys(namespace) }),
  store: new ClickhouseFlushStore(createClickhouseClient({ url: clickhouseUrl, database })),
  catalog: features,
  customers: new RecordCustomerDirectory(records),
  entitlements: new RecordEntitlements({
    records,
    catalog: new RecordCatalog(records),
    features,
    clock: systemClock,
  }),
  clock: systemClock,
  logger: makeLogger('aggregate', 'error'),
  registry: makeRegistry('aggregate'),
  identities: { windowMs, entriesMax: 100_000 },
  limits: { rowsMax },
  async checkpoint(name) {
    if (name !== death?.at) return;
    visits += 1;
    if (visits < death.visit) return;
    // The rest of the process goes on meanwhile: an insert reaches ClickHouse in part, or whole.
    if (death.afterMs > 0) await delay(death.afterMs);
    die();
  },
});
await worker.start();
const { reason } = await worker.ended();
process.exit(reason === 'stopped' ? 0 : 1);

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}
