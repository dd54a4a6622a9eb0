/** The API's server on a free port, with real Redis and in-memory stand-ins for what lies behind our own ports. */
import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import { ManualClock } from '../clock.ts';
import type { Correction, CorrectionOutcome, Corrections } from '../corrections/correction.ts';
import { RecordCustomerDirectory } from '../customers/record-customer-directory.ts';
import { LiveChecks } from '../entitlements/live-checks.ts';
import { RecordEntitlements } from '../entitlements/record-entitlements.ts';
import { RecordUsageResets } from '../entitlements/record-usage-resets.ts';
import type { ChangeEntry } from '../records/change-log.ts';
import { recordKeys } from '../records/record-keys.ts';
import type { RecordStore } from '../records/record-store.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import type { PaymentProvider } from '../payments/payment-provider.ts';
import { ApiKeys } from '../http/api-key.ts';
import type { MeasurementOutcome, ReservationOutcome } from '../metering/acknowledgement.ts';
import type { EventFact, MeasurementFact } from '../metering/facts.ts';
import type { Intake, IntakeRefusal } from '../metering/intake.ts';
import type { Reservation } from '../metering/reservation.ts';
import { closeRedis, openRedis, redisReady } from '../queue/redis-connection.ts';
import { addQuantities, type Quantity, quantityToText, zeroQuantity } from '../quantity.ts';
import type { LiveReservations } from '../usage/live-reservations.ts';
import type { LiveFigure, LiveUsage, UsageAsk } from '../usage/live-usage.ts';
import type {
  ReportedItem,
  ReportedPlace,
  ReportedQuery,
  UsageHistory,
  UsageHistoryQuery,
  UsageReader,
} from '../usage/usage.ts';
import { RecordSubscriptionPreviews } from '../subscriptions/record-subscription-previews.ts';
import { RecordSubscriptionRegister } from '../subscriptions/record-subscription-register.ts';
import { LetterSeal } from '../webhooks/letter-seal.ts';
import { createApiServer } from './api-server.ts';

export const serverKey = 'server-for-tests';
export const ingestKey = 'ingest-for-tests';
export const startOfTests = Date.UTC(2026, 4, 1, 12);

/** Takes everything, and adds up what is reported for each customer, feature and resource. */
export class MemoryIntake implements Intake {
  readonly events: EventFact[] = [];
  readonly orders: MeasurementFact[] = [];
  /** What every order about a reservation is answered. */
  reservation: ReservationOutcome = { error: { code: 'INTERNAL', message: 'nothing can be reserved' } };
  readonly #usage = new Map<string, MeasurementFact['value']>();
  refusal: IntakeRefusal | undefined;
  fault: Error | undefined;

  async acceptEvents(events: readonly EventFact[]): Promise<IntakeRefusal | undefined> {
    if (this.fault !== undefined) throw this.fault;
    if (this.refusal === undefined) this.events.push(...events);
    return this.refusal;
  }

  async acceptMeasurements(
    measurements: readonly MeasurementFact[],
  ): Promise<readonly MeasurementOutcome[] | IntakeRefusal> {
    return this.refusal ?? measurements.map((measurement) => this.#count(measurement));
  }

  async acceptReservation(order: MeasurementFact): Promise<ReservationOutcome | IntakeRefusal> {
    this.orders.push(order);
    return this.refusal ?? this.reservation;
  }

  #count(measurement: MeasurementFact): MeasurementOutcome {
    const { customerId, featureId, resourceId, value, timestamp } = measurement;
    if (customerId === 'nobody') {
      return { error: { code: 'CUSTOMER_NOT_FOUND', message: 'no customer has this id' } };
    }
    const scope = JSON.stringify([customerId, featureId, resourceId]);
    const sum = addQuantities(this.#usage.get(scope) ?? zeroQuantity, value);
    this.#usage.set(scope, sum);
    return {
      id: randomUUID(),
      customerId,
      featureId,
      resourceId: resourceId === '' ? null : resourceId,
      value: quantityToText(value),
      timestamp: new Date(timestamp).toISOString(),
      currentUsage: quantityToText(sum),
      usageLimit: null,
      usagePeriodStart: null,
      usagePeriodEnd: null,
      nextResetDate: null,
      duplicate: false,
    };
  }
}

/** Answers what it was given, and remembers what it was asked. */
export class MemoryUsageReader implements UsageReader {
  historyAnswer: UsageHistory = { totalUsage: zeroQuantity, periods: [], series: [], truncated: false };
  items: readonly ReportedItem[] = [];
  readonly asked: (UsageHistoryQuery | ReportedQuery)[] = [];
  fault: Error | undefined;

  async currentUsage(): Promise<UsageHistory['totalUsage']> {
    return this.historyAnswer.totalUsage;
  }

  async history(query: UsageHistoryQuery): Promise<UsageHistory> {
    this.asked.push(query);
    return this.historyAnswer;
  }

  async reported(query: ReportedQuery): Promise<readonly ReportedItem[]> {
    this.asked.push(query);
    if (this.fault !== undefined) throw this.fault;
    const { after, before, end, limit } = query;
    const placeOf = (place: ReportedPlace): number => this.items.findIndex(({ id }) => id === place.id);
    const from = after === null ? 0 : placeOf(after) + 1;
    const between = this.items.slice(from, before === null ? undefined : placeOf(before));
    return end === 'first' ? between.slice(0, limit) : between.slice(-limit);
  }
}

/** Answers the figures that it was given by feature, or zero. */
export class MemoryLiveUsage implements LiveUsage {
  readonly figures = new Map<string, MeasurementFact['value']>();
  readonly asked: UsageAsk[] = [];

  async current(asks: readonly UsageAsk[]): Promise<readonly LiveFigure[]> {
    this.asked.push(...asks);
    return asks.map(({ feature }) => ({
      usage: this.figures.get(feature.refId) ?? zeroQuantity,
      asOf: startOfTests,
    }));
  }
}

/** Those that it was given, and the sum that it was given for every ask. */
export class MemoryReservations implements LiveReservations {
  readonly records = new Map<string, Reservation>();
  sum = zeroQuantity;

  async reserved(asks: readonly unknown[]): Promise<readonly Quantity[]> {
    return asks.map(() => this.sum);
  }

  async reservation(id: string): Promise<Reservation | undefined> {
    return this.records.get(id);
  }
}

/** Knows of no entry, and so of no correction. */
class NoCorrections implements Corrections {
  async correct(): Promise<CorrectionOutcome> {
    return { problem: { code: 'VALIDATION_ERROR', message: 'nothing was reported' } };
  }

  async of(): Promise<ReadonlyMap<string, readonly Correction[]>> {
    return new Map();
  }
}

/** Counts what is asked of Redis. */
class CountedRecords extends RedisRecordStore {
  roundTrips = 0;

  override read(...asked: Parameters<RecordStore['read']>): ReturnType<RecordStore['read']> {
    this.roundTrips += 1;
    return super.read(...asked);
  }

  override byId(...asked: Parameters<RecordStore['byId']>): ReturnType<RecordStore['byId']> {
    this.roundTrips += 1;
    return super.byId(...asked);
  }

  override page(...asked: Parameters<RecordStore['page']>): ReturnType<RecordStore['page']> {
    this.roundTrips += 1;
    return super.page(...asked);
  }
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Readonly<Record<string, unknown>> | null | undefined;
  readonly errors: readonly ApiAnswerError[];
}

export interface ApiAnswerError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: Readonly<Record<string, unknown>>;
}

export interface RunningApi {
  readonly url: string;
  /** Of its keys in Redis. */
  readonly namespace: string;
  readonly intake: MemoryIntake;
  readonly usage: MemoryUsageReader;
  readonly liveUsage: MemoryLiveUsage;
  readonly reservations: MemoryReservations;
  readonly clock: ManualClock;
  /** Times that records were asked for so far. */
  roundTrips(): number;
  /** What was logged as an error. */
  readonly logged: readonly unknown[];
  /** POST /graphql with the server's key. */
  ask(query: string, variables?: unknown): Promise<ApiAnswer>;
  /** As `ask`, with the body as it is and these headers beside the content type. */
  send(
    body: string | Uint8Array<ArrayBuffer>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<ApiAnswer>;
  /** The changes that wait for the change log. */
  outbox(): Promise<readonly ChangeEntry[]>;
  /** What waits to be passed on about a customer. */
  letter(customerId: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  stop(): Promise<void>;
}

const keysOfTests = new ApiKeys([
  { key: serverKey, scopes: ['api', 'ingest'] },
  { key: ingestKey, scopes: ['ingest'] },
]);

/** `explorerDir`: a built explorer, where the test is about it; `payments`: none are collected without one. */
export async function startApi(
  redisUrl: string,
  explorerDir = '',
  payments?: PaymentProvider,
): Promise<RunningApi> {
  const redis = openRedis(redisUrl, 'edge');
  await redisReady(redis, 1_000);
  const namespace = `{api-${randomUUID()}}`;
  const records = new CountedRecords(redis, namespace);
  const catalog = new RecordCatalog(records);
  const outbox = new RedisOutbox(redis, namespace);
  const letterSeal = new LetterSeal('a key for tests');
  const [intake, usage, clock] = [new MemoryIntake(), new MemoryUsageReader(), new ManualClock(startOfTests)];
  const [liveUsage, reservations] = [new MemoryLiveUsage(), new MemoryReservations()];
  const features = new RecordFeatureCatalog(records);
  const entitlements = new RecordEntitlements({ records, catalog, features, clock });
  const checks = new LiveChecks({ entitlements, usage: liveUsage, reservations, clock });
  const logged: unknown[] = [];
  const subscriptions = new RecordSubscriptionRegister({ records, catalog, clock, payments });
  const server = createApiServer({
    services: {
      records,
      catalog,
      features,
      customers: new RecordCustomerDirectory(records),
      subscriptions,
      previews: new RecordSubscriptionPreviews({ records, catalog, clock, payments }),
      payments,
      intake,
      usage,
      usageResets: new RecordUsageResets({ records, subscriptions, catalog, clock }),
      corrections: new NoCorrections(),
      liveUsage,
      reservations,
      checks,
      clock,
      letterSeal,
    },
    keys: keysOfTests,
    readiness: [{ name: 'redis', check: () => redis.ping() }],
    explorerDir,
    log: { error: (...line: unknown[]) => void logged.push(line) },
    registry: new Registry(),
  });
  const port = await server.listen('127.0.0.1', 0, { shared: false });
  const url = `http://127.0.0.1:${port}`;
  const send = senderTo(url);
  return {
    url,
    namespace,
    intake,
    usage,
    liveUsage,
    reservations,
    clock,
    logged,
    send,
    ask: (query, variables) => send(JSON.stringify({ query, variables })),
    roundTrips: () => records.roundTrips,
    letter: async (customerId) =>
      letterOf(customerId, await redis.hget(recordKeys(namespace).letters, customerId), letterSeal),
    outbox: async () => (await outbox.take())?.entries ?? [],
    stop: async () => {
      await server.stop();
      await closeRedis(redis);
    },
  };
}

function senderTo(url: string): RunningApi['send'] {
  return async (body, headers = { 'X-API-KEY': serverKey }) =>
    answerOf(
      await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body,
      }),
    );
}

function letterOf(
  customerId: string,
  kept: string | null,
  seal: LetterSeal,
): Readonly<Record<string, unknown>> | undefined {
  const [id = '', text = ''] = kept?.split('\n') ?? [];
  const content = seal.open(text, { customerId, id });
  return content === undefined ? undefined : (JSON.parse(content) as Record<string, unknown>);
}

export async function answerOf(response: Response): Promise<ApiAnswer> {
  const { data, errors = [] } = (await response.json()) as Partial<ApiAnswer>;
  return { status: response.status, headers: response.headers, data, errors };
}

/** The answer's data, once it is sure that there were no errors. */
export function dataOf(answer: ApiAnswer): Readonly<Record<string, unknown>> {
  if (answer.errors.length > 0 || answer.data === null || answer.data === undefined) {
    throw new Error(`expected data, got ${JSON.stringify(answer.errors)}`);
  }
  return answer.data;
}

export function codesOf(answer: ApiAnswer): readonly unknown[] {
  return answer.errors.map((error) => error.extensions['code']);
}
