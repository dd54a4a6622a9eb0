/** Everything that the API's port answers: GraphQL, the explorer, health and metrics. */
import type { Logger } from '../telemetry.ts';
import type { Registry } from 'prom-client';
import type { ApiKeys } from '../http/api-key.ts';
import { healthRoutes, type ReadinessCheck } from '../http/health.ts';
import { HttpMetrics } from '../http/http-metrics.ts';
import { createHttpServer, type HttpServer } from '../http/uws-server.ts';
import type { ApiServices } from './context.ts';
import { explorerRoutes } from './explorer/explorer-routes.ts';
import { GraphqlEndpoint } from './graphql/endpoint.ts';
import { StreamEndpoint } from './graphql/stream-endpoint.ts';
import { apiSchema, fieldCosts } from './schema.ts';

export interface ApiServerOptions {
  readonly services: ApiServices;
  readonly keys: ApiKeys;
  readonly readiness: readonly ReadinessCheck[];
  /** What `npm run build` made of the explorer; its default place when absent. */
  readonly explorerDir?: string;
  readonly log: Pick<Logger, 'error'>;
  readonly registry: Registry;
}

export function createApiServer(options: ApiServerOptions): HttpServer {
  const { log, registry, services, keys } = options;
  const graphql = { schema: apiSchema, fieldCosts, services, keys, log, registry };
  const endpoint = new GraphqlEndpoint(graphql);
  const stream = new StreamEndpoint(graphql);
  const metrics = new HttpMetrics(registry);
  const server = createHttpServer({
    routes: [
      ...endpoint.routes('/graphql'),
      ...stream.routes('/graphql/stream'),
      ...explorerRoutes(options.explorerDir),
      ...healthRoutes({ checks: options.readiness, registry }),
    ],
    log,
    onAnswered: metrics.record,
  });
  metrics.watch(server);
  return server;
}
