import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AggregateWorker, type WorkerEnd } from '../aggregate/worker.ts';
import type { FeatureCatalog } from '../catalog/feature.ts';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { ClickhouseCorrectionStore } from '../corrections/clickhouse-correction-store.ts';
import { CorrectionApplier } from '../corrections/correction-applier.ts';
import { RecordCustomerDirectory } from '../customers/record-customer-directory.ts';
import { RecordEntitlements } from '../entitlements/record-entitlements.ts';
import { RedisFailedItems } from '../queue/redis-failed-items.ts';
import type { Redis } from '../queue/redis-connection.ts';
import { RedisLedger } from '../queue/redis-ledger.ts';
import { builtInProvider } from '../payments/built-in-providers.ts';
import { OutboxRelay } from '../records/outbox-relay.ts';
import { ClickhouseChangeLog } from '../store/clickhouse-change-log.ts';
import { ClickhouseFlushStore } from '../store/clickhouse-flush-store.ts';
import { insertsUnderWay } from '../store/clickhouse-inserts.ts';
import { migrateClickhouse } from '../store/migrations.ts';
import { BullmqTimekeeper } from '../subscriptions/bullmq-timekeeper.ts';
import { RecordSubscriptionRegister } from '../subscriptions/record-subscription-register.ts';
import { makeRegistry } from '../telemetry.ts';
import { ClickhouseUsageTallies } from '../usage/clickhouse-usage-tallies.ts';
import { CounterReconciler } from '../usage/counter-reconciler.ts';
import { RedisCounterAudit } from '../usage/redis-counter-audit.ts';
import { type Engines, namespace } from './engines.ts';
import { guardRecords, openedOutbox, openedRecords } from './records.ts';
import type { RunningRole } from './running-role.ts';
import { makeThresholds } from './thresholds.ts';
import { makeWebhooks } from './webhooks.ts';

/** What a flush writes. */
const flushTables = ['events', 'event_conflicts', 'measurements'];

export async function startAggregate(engines: Engines): Promise<RunningRole> {
  const { config, log, keys, clickhouse, clickhouseUrl } = engines;
  const registry = makeRegistry('aggregate');
  const redis = engines.redis('worker');
  await migrateClickhouse({ url: clickhouseUrl });
  const records = openedRecords(redis);
  const catalog = new RecordCatalog(records);
  const features = new RecordFeatureCatalog(records);
  const entitlements = new RecordEntitlements({ records, catalog, features, clock: systemClock });
  const failures = new RedisFailedItems(redis, keys, log);
  const thresholds = makeThresholds(engines, redis, { records, entitlements, failures });
  const worker = new AggregateWorker({
    ledger: new RedisLedger({ redis, keys, report: engines.report }),
    store: new ClickhouseFlushStore(clickhouse),
    isStoring: async () => (await insertsUnderWay(clickhouse, flushTables)) > 0,
    catalog: features,
    customers: new RecordCustomerDirectory(records),
    entitlements,
    watch: thresholds.usageWatch,
    identities: { windowMs: config.dedupeWindowMs, entriesMax: config.dedupeEntriesMax },
    clock: systemClock,
    logger: log,
    registry,
  });
  engines.onStop(() => worker.stop());
  const corrections = new CorrectionApplier({
    records,
    store: new ClickhouseCorrectionStore(clickhouse),
    owner: worker,
    clock: systemClock,
    logger: log,
  });
  engines.onStop(() => corrections.stop());
  const heartbeat = setInterval(() => void beat(config), 5_000);
  engines.onStop(async () => clearInterval(heartbeat));
  const outbox = openedOutbox(redis);
  const webhooks = await makeWebhooks(engines, redis, {
    records,
    outbox,
    grantsChanged: thresholds.grantsChanged,
  });
  const relay = new OutboxRelay({
    outbox,
    changeLog: new ClickhouseChangeLog(clickhouse),
    listener: webhooks.listener,
    logger: log,
  });
  engines.onStop(() => relay.stop());
  const payments = builtInProvider(config.paymentProvider);
  const timekeeper = new BullmqTimekeeper({
    redis,
    namespace,
    time: new RecordSubscriptionRegister({ records, catalog, clock: systemClock, payments, failures }),
    report: engines.report,
    logger: log,
    intervalMs: 1_000,
  });
  engines.onStop(() => timekeeper.stop());
  const reconciler = makeReconciler(engines, redis, features);
  const guard = await guardRecords(engines, redis, { listener: webhooks.listener, thresholds });
  await Promise.race([worker.start(), guard.lost]);
  // Only now does this process own the shard; others that stand by would do the same work a second time.
  relay.start();
  corrections.start();
  webhooks.start();
  reconciler.start();
  thresholds.start();
  await timekeeper.start();
  const failed = Promise.race([worker.ended().then(refuseToGoOn), guard.lost]);
  return { stop: () => engines.stop(), failed };
}

/** Stops with the engines. */
function makeReconciler(
  engines: Engines,
  redis: Redis,
  catalog: Pick<FeatureCatalog, 'features'>,
): CounterReconciler {
  const reconciler = new CounterReconciler({
    audit: new RedisCounterAudit(redis, engines.keys),
    tallies: new ClickhouseUsageTallies(engines.clickhouse),
    catalog,
    clock: systemClock,
    logger: engines.log,
  });
  engines.onStop(() => reconciler.stop());
  return reconciler;
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
