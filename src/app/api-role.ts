import { createApiServer } from '../api/api-server.ts';
import { watchBooks } from '../books-metrics.ts';
import { watchOutbox } from '../records/outbox-metrics.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import { systemClock } from '../clock.ts';
import { ClickhouseCorrectionStore } from '../corrections/clickhouse-correction-store.ts';
import { RecordCorrections } from '../corrections/record-corrections.ts';
import { RecordCustomerDirectory } from '../customers/record-customer-directory.ts';
import { LiveChecks } from '../entitlements/live-checks.ts';
import { RecordEntitlements } from '../entitlements/record-entitlements.ts';
import { RecordUsageResets } from '../entitlements/record-usage-resets.ts';
import { builtInProvider } from '../payments/built-in-providers.ts';
import { watchFailedItems } from '../queue/failed-item-metrics.ts';
import { RedisDesk } from '../queue/redis-desk.ts';
import { RedisFailedItems } from '../queue/redis-failed-items.ts';
import { RedisTouchedCustomers } from '../queue/redis-touched-customers.ts';
import { RecordSubscriptionPreviews } from '../subscriptions/record-subscription-previews.ts';
import { RecordSubscriptionRegister } from '../subscriptions/record-subscription-register.ts';
import { migrateClickhouse } from '../store/migrations.ts';
import { makeRegistry } from '../telemetry.ts';
import { watchThresholds } from '../thresholds/threshold-metrics.ts';
import { ClickhouseUsageReader } from '../usage/clickhouse-usage-reader.ts';
import { watchCounters } from '../usage/counter-metrics.ts';
import { RedisCounterAudit } from '../usage/redis-counter-audit.ts';
import { RedisReservations } from '../usage/redis-reservations.ts';
import { watchReservations } from '../usage/reservation-metrics.ts';
import { watchWebhooks } from '../webhooks/webhook-metrics.ts';
import { type Engines, namespace } from './engines.ts';
import { apiKeys, makeIntake, makeLiveUsage, readiness, serve } from './front-door.ts';
import { openedRecords } from './records.ts';
import type { RunningRole } from './running-role.ts';
import { letterSeal, webhookQueues } from './webhooks.ts';

export async function startApi(engines: Engines): Promise<RunningRole> {
  const { config, log, clickhouse, clickhouseUrl } = engines;
  const registry = makeRegistry('api');
  const edge = engines.redis('edge');
  await migrateClickhouse({ url: clickhouseUrl });
  const records = openedRecords(edge);
  const catalog = new RecordCatalog(records);
  const features = new RecordFeatureCatalog(records);
  const entitlements = new RecordEntitlements({ records, catalog, features, clock: systemClock });
  const liveUsage = makeLiveUsage(engines, edge);
  const reservations = new RedisReservations(edge, engines.keys, systemClock);
  const payments = builtInProvider(config.paymentProvider);
  const failures = new RedisFailedItems(edge, engines.keys, log);
  const timed = { records, catalog, clock: systemClock, payments };
  const subscriptions = new RecordSubscriptionRegister({ ...timed, failures });
  const server = createApiServer({
    services: {
      records,
      catalog,
      features,
      customers: new RecordCustomerDirectory(records),
      subscriptions,
      previews: new RecordSubscriptionPreviews(timed),
      payments,
      intake: makeIntake(engines, edge, registry),
      usage: new ClickhouseUsageReader(clickhouse, features),
      usageResets: new RecordUsageResets({ records, subscriptions, catalog, clock: systemClock }),
      corrections: new RecordCorrections({
        records,
        store: new ClickhouseCorrectionStore(clickhouse),
        clock: systemClock,
        ackTimeoutMs: config.ackTimeoutMs,
      }),
      liveUsage,
      reservations,
      checks: new LiveChecks({ entitlements, usage: liveUsage, reservations, clock: systemClock }),
      clock: systemClock,
      letterSeal: config.billingWebhookUrl === undefined ? undefined : await letterSeal(config),
    },
    keys: await apiKeys(config),
    registry,
    log,
    readiness: readiness(engines, edge),
  });
  watchBooks(registry, new RedisDesk({ redis: edge, keys: engines.keys }));
  watchOutbox(registry, new RedisOutbox(edge, namespace));
  watchCounters(registry, new RedisCounterAudit(edge, engines.keys));
  watchReservations(registry, reservations);
  watchFailedItems(registry, failures);
  watchThresholds(registry, new RedisTouchedCustomers(edge, engines.keys));
  watchWebhooks(registry, webhookQueues(engines, edge));
  await serve(engines, server, config.apiPort);
  return engines;
}
