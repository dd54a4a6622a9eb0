import { watchBooks } from '../books-metrics.ts';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import { watchOutbox } from '../records/outbox-metrics.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { systemClock } from '../clock.ts';
import { LiveChecks } from '../entitlements/live-checks.ts';
import { RecordEntitlements } from '../entitlements/record-entitlements.ts';
import { entitlementRoutes } from '../ingest/entitlement-routes.ts';
import { createIngestServer } from '../ingest/ingest-server.ts';
import { reservationRoutes } from '../ingest/reservation-routes.ts';
import { RedisDesk } from '../queue/redis-desk.ts';
import { makeRegistry } from '../telemetry.ts';
import { watchCounters } from '../usage/counter-metrics.ts';
import { RedisCounterAudit } from '../usage/redis-counter-audit.ts';
import { RedisReservations } from '../usage/redis-reservations.ts';
import { watchReservations } from '../usage/reservation-metrics.ts';
import { type Engines, namespace } from './engines.ts';
import { apiKeys, makeIntake, makeLiveUsage, readiness, serve } from './front-door.ts';
import { openedRecords } from './records.ts';
import type { RunningRole } from './running-role.ts';

export async function startIngest(engines: Engines): Promise<RunningRole> {
  const { config, log } = engines;
  const registry = makeRegistry('ingest');
  const edge = engines.redis('edge');
  const keys = await apiKeys(config);
  const records = openedRecords(edge);
  const entitlements = new RecordEntitlements({
    records,
    catalog: new RecordCatalog(records),
    features: new RecordFeatureCatalog(records),
    clock: systemClock,
  });
  const reservations = new RedisReservations(edge, engines.keys, systemClock);
  const checks = new LiveChecks({
    entitlements,
    usage: makeLiveUsage(engines, edge),
    reservations,
    clock: systemClock,
  });
  const intake = makeIntake(engines, edge, registry);
  const server = createIngestServer({
    intake,
    keys,
    moreRoutes: [
      ...entitlementRoutes({ checks, keys, log }),
      ...reservationRoutes({ intake, reservations, keys, clock: systemClock }),
    ],
    clock: systemClock,
    registry,
    log,
    checks: readiness(engines, edge),
    // Stopping must outlast the longest wait for an acknowledgement.
    limits: { drainMs: config.ackTimeoutMs + 5_000 },
  });
  watchBooks(registry, new RedisDesk({ redis: edge, keys: engines.keys }));
  watchOutbox(registry, new RedisOutbox(edge, namespace));
  watchCounters(registry, new RedisCounterAudit(edge, engines.keys));
  watchReservations(registry, reservations);
  await serve(engines, server, config.ingestPort);
  return engines;
}
