/** HTTP ingest (contract, section 3): calls in, facts to the intake, the contract's answers out. */
import type { Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import type { ApiKeys } from '../http/api-key.ts';
import { type HealthOptions, healthRoutes } from '../http/health.ts';
import { HttpMetrics } from '../http/http-metrics.ts';
import {
  type HttpRequest,
  jsonResponse,
  type PlainResponse,
  problemResponse,
  type Route,
} from '../http/message.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../http/uws-server.ts';
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import type { BatchKind } from '../metering/batch.ts';
import { isRejection } from '../metering/decode-field.ts';
import { factLimits, type MeasurementFact, type Rejection } from '../metering/facts.ts';
import type { Intake, IntakeRefusal } from '../metering/intake.ts';
import type { Logger } from '../telemetry.ts';
import { readCloudEventHeaders } from './cloud-events.ts';
import { decodeEventsBody } from './decode-events.ts';
import { decodeUsagesBody } from './decode-usages.ts';
import { isRefusal } from './intake.ts';
import { scanEventsBody } from './scan-events.ts';

export interface IngestServerOptions {
  readonly intake: Intake & { countRejected(kind: BatchKind, rejected: readonly Rejection[]): void };
  readonly keys: ApiKeys;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly log: Pick<Logger, 'error'>;
  readonly checks: HealthOptions['checks'];
  /** What the port offers beside reporting. */
  readonly moreRoutes?: readonly Route[];
  readonly limits?: Pick<
    HttpServerOptions,
    'bodyBytesMax' | 'bodyBytesInHandMax' | 'requestsInHandMax' | 'drainMs'
  >;
}

export function createIngestServer(options: IngestServerOptions): HttpServer {
  const { registry, log, checks, limits, moreRoutes = [] } = options;
  const metrics = new HttpMetrics(registry);
  const server = createHttpServer({
    bodyBytesMax: factLimits.bodyBytesMax,
    ...limits,
    routes: [...ingestRoutes(options), ...moreRoutes, ...healthRoutes({ checks, registry })],
    log,
    onAnswered: metrics.record,
  });
  metrics.watch(server);
  return server;
}

function ingestRoutes(options: IngestServerOptions): readonly Route[] {
  const guard: NonNullable<Route['guard']> = (head) => options.keys.guard(head, 'ingest');
  return [
    { method: 'POST', path: '/api/v1/events', guard, handle: (request) => answerEvents(request, options) },
    { method: 'POST', path: '/api/v1/usage', guard, handle: (request) => answerUsage(request, options) },
  ];
}

async function answerEvents(
  request: HttpRequest,
  { intake, clock }: IngestServerOptions,
): Promise<PlainResponse> {
  const { body, traceId } = request;
  const headers = readCloudEventHeaders((name) => request.header(name));
  const contentType = request.header('content-type');
  const now = clock.now();
  const decoded =
    scanEventsBody(body, contentType, headers, now) ?? decodeEventsBody(body, contentType, headers, now);
  if ('refusal' in decoded) return problemResponse(decoded.refusal.code, decoded.refusal.message, traceId);
  const { events, rejected } = decoded;
  const accepted = 'count' in events ? events.count : events.length;
  intake.countRejected('events', rejected);
  if (accepted === 0) return noneValid(rejected, traceId);
  const refusal = await intake.acceptEvents(events, body.length);
  if (refusal !== undefined) return refusalResponse(refusal, traceId);
  return jsonResponse(202, { data: { accepted, rejected } });
}

/** The list stands in `data`, as in a 202, and in the error's details, where a client that failed looks. */
function noneValid(rejected: readonly Rejection[], traceId: string): PlainResponse {
  const [first] = rejected;
  const alike = first !== undefined && rejected.every(({ code }) => code === first.code);
  const code = alike && first.code === 'TIMESTAMP_IN_FUTURE' ? first.code : 'VALIDATION_ERROR';
  const message =
    rejected.length === 1 && first !== undefined ? first.message : 'none of the events is valid';
  const error = { code, message, traceId, details: { rejected } };
  return jsonResponse(400, { error, data: { accepted: 0, rejected } });
}

async function answerUsage(
  request: HttpRequest,
  { intake, clock }: IngestServerOptions,
): Promise<PlainResponse> {
  const { body, traceId } = request;
  const decoded = decodeUsagesBody(body, request.header('content-type'), clock.now());
  if ('refusal' in decoded) return problemResponse(decoded.refusal.code, decoded.refusal.message, traceId);
  const measurements: MeasurementFact[] = [];
  const rejected: Rejection[] = [];
  for (const usage of decoded.usages) {
    if (isRejection(usage)) rejected.push(usage);
    else measurements.push(usage);
  }
  intake.countRejected('usage', rejected);
  const outcomes = await intake.acceptMeasurements(measurements, body.length);
  if (isRefusal(outcomes)) return refusalResponse(outcomes, traceId);
  return jsonResponse(200, { data: inPlace(decoded.usages, outcomes) });
}

/** Outcomes of what was processed and errors of what was not, each in the place of its measurement. */
function inPlace(
  usages: readonly (MeasurementFact | Rejection)[],
  outcomes: readonly MeasurementOutcome[],
): readonly (MeasurementOutcome | undefined)[] {
  let processed = 0;
  return usages.map((usage) =>
    isRejection(usage) ? { error: { code: usage.code, message: usage.message } } : outcomes[processed++],
  );
}

function refusalResponse(
  { code, message, retryAfterSeconds }: IntakeRefusal,
  traceId: string,
): PlainResponse {
  return problemResponse(code, message, traceId, { retryAfterSeconds });
}
