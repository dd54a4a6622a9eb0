import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AggregateWorker, type WorkerEnd } from '../aggregate/worker.ts';
import { RedisFeatureCatalog } from '../catalog/redis-feature-catalog.ts';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { RedisCustomerDirectory } from '../customers/redis-customer-directory.ts';
import { RedisLedger } from '../queue/redis-ledger.ts';
import { ClickhouseFlushStore } from '../store/clickhouse-flush-store.ts';
import { migrateClickhouse } from '../store/migrations.ts';
import { makeRegistry } from '../telemetry.ts';
import { type Engines, namespace } from './engines.ts';
import type { RunningRole } from './running-role.ts';

export async function startAggregate(engines: Engines): Promise<RunningRole> {
  const { config, log, keys, clickhouse, clickhouseUrl } = engines;
  const registry = makeRegistry('aggregate');
  const redis = engines.redis('worker');
  await migrateClickhouse({ url: clickhouseUrl });
  const worker = new AggregateWorker({
    ledger: new RedisLedger({ redis, keys, report: engines.report }),
    store: new ClickhouseFlushStore(clickhouse),
    catalog: new RedisFeatureCatalog(redis, namespace),
    customers: new RedisCustomerDirectory(redis, namespace),
    identities: { windowMs: config.dedupeWindowMs, entriesMax: config.dedupeEntriesMax },
    clock: systemClock,
    logger: log,
    registry,
  });
  engines.onStop(() => worker.stop());
  const heartbeat = setInterval(() => void beat(config), 5_000);
  engines.onStop(async () => clearInterval(heartbeat));
  await worker.start();
  return { stop: () => engines.stop(), failed: worker.ended().then(refuseToGoOn) };
}

/** The worker listens on no port: a file that is touched tells a supervisor that its event loop turns. */
async function beat({ dataDir }: Config): Promise<void> {
  const path = join(dataDir, 'aggregate.alive');
  const now = new Date(systemClock.now());
  await utimes(path, now, now).catch(() => writeFile(path, '').catch(() => undefined));
}

/** A worker that was fenced or failed ends its process, and whoever supervises it starts a fresh one. */
function refuseToGoOn(end: WorkerEnd): Promise<never> {
  if (end.reason === 'stopped') return new Promise(() => undefined);
  throw end.reason === 'failed' ? end.error : new Error('another worker has taken the shard over');
}
