import { createApiServer } from '../api/api-server.ts';
import { watchBooks } from '../books-metrics.ts';
import { RedisFeatureCatalog } from '../catalog/redis-feature-catalog.ts';
import { systemClock } from '../clock.ts';
import { RedisCustomerDirectory } from '../customers/redis-customer-directory.ts';
import { RedisDesk } from '../queue/redis-desk.ts';
import { migrateClickhouse } from '../store/migrations.ts';
import { makeRegistry } from '../telemetry.ts';
import { ClickhouseUsageReader } from '../usage/clickhouse-usage-reader.ts';
import { type Engines, namespace } from './engines.ts';
import { apiKeys, makeIntake, readiness, serve } from './front-door.ts';
import type { RunningRole } from './running-role.ts';

export async function startApi(engines: Engines): Promise<RunningRole> {
  const { config, log, clickhouse, clickhouseUrl } = engines;
  const registry = makeRegistry('api');
  const edge = engines.redis('edge');
  await migrateClickhouse({ url: clickhouseUrl });
  const features = new RedisFeatureCatalog(edge, namespace);
  const server = createApiServer({
    services: {
      features,
      customers: new RedisCustomerDirectory(edge, namespace),
      intake: makeIntake(engines, edge, registry),
      usage: new ClickhouseUsageReader(clickhouse, features),
      clock: systemClock,
    },
    keys: await apiKeys(config),
    registry,
    log,
    readiness: readiness(engines, edge),
  });
  watchBooks(registry, new RedisDesk({ redis: edge, keys: engines.keys }));
  await serve(engines, server, config.apiPort, false);
  return engines;
}
