/**
 * The whole of metering, as the composition root puts it together, driven step by step beside an oracle that is told
 * the same: worker, records, subscriptions, entitlements, checks, counters, corrections and readers, on real engines.
 */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { inject, onTestFinished } from 'vitest';
import type { Feature } from '../catalog/feature.ts';
import type { Meter } from '../catalog/meter.ts';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import { ManualClock } from '../clock.ts';
import { ClickhouseCorrectionStore } from '../corrections/clickhouse-correction-store.ts';
import { CorrectionApplier } from '../corrections/correction-applier.ts';
import { RecordCorrections } from '../corrections/record-corrections.ts';
import { entitled } from '../entitlements/entitlement.fixture.ts';
import { LiveChecks } from '../entitlements/live-checks.ts';
import { RecordEntitlements } from '../entitlements/record-entitlements.ts';
import type { UsagePeriod } from '../entitlements/entitlement.ts';
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import { quantityToText } from '../quantity.ts';
import { closeRedis, openRedis, type Redis, redisReady } from '../queue/redis-connection.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import type { TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { makePlan, makeProduct } from '../subscriptions/life-cycle.fixture.ts';
import { newSubscription } from '../subscriptions/record-register.fixture.ts';
import { RecordSubscriptionRegister } from '../subscriptions/record-subscription-register.ts';
import { ClickhouseUsageReader } from '../usage/clickhouse-usage-reader.ts';
import { LiveReader } from '../usage/live-counters.fixture.ts';
import { RedisReservations } from '../usage/redis-reservations.ts';
import type { CheckpointName } from './checkpoint.ts';
import type { AggregateWorker } from './worker.ts';
import { aFeature, aMeasurement, anEvent, WorkerWorld } from './worker.fixture.ts';
import {
  type Account,
  answerText,
  checkText,
  type Content,
  dayMs,
  type Entry,
  type FeatureRule,
  type GrantRule,
  type MeterRule,
  type Offer,
  type Place,
  type Report,
  siteGrants,
  type Span,
} from './whole-oracle.fixture.ts';

/** The dedupe window: some of what is sent again comes after it. */
export const windowMs = 2 * dayMs;

export class WholeSystem {
  readonly #world: WorkerWorld;
  readonly #clock: ManualClock;
  readonly #records: RedisRecordStore;
  readonly #features: RecordFeatureCatalog;
  readonly #subscriptions: RecordSubscriptionRegister;
  readonly #corrections: RecordCorrections;
  readonly #checks: LiveChecks;
  readonly #live: LiveReader;
  readonly #reader: ClickhouseUsageReader;
  #worker: AggregateWorker | undefined;

  private constructor(
    world: WorkerWorld,
    database: TestDatabase,
    redis: Redis,
    live: LiveReader,
    clock: ManualClock,
  ) {
    const records = new RedisRecordStore(redis, `{whole-${randomUUID()}}`);
    const catalog = new RecordCatalog(records);
    const features = new RecordFeatureCatalog(records);
    const store = new ClickhouseCorrectionStore(database.client);
    this.#world = world;
    this.#clock = clock;
    this.#records = records;
    this.#features = features;
    this.#subscriptions = new RecordSubscriptionRegister({ records, catalog, clock });
    this.#corrections = new RecordCorrections({ records, store, clock, ackTimeoutMs: 10_000 });
    this.#live = live;
    this.#reader = new ClickhouseUsageReader(database.client, features);
    this.#checks = new LiveChecks({
      entitlements: this.#entitlements(),
      usage: live.live,
      reservations: new RedisReservations(redis, world.queue.keys, clock),
      clock,
    });
    const applier = new CorrectionApplier({
      records,
      store,
      owner: { betweenFlushes: (...asked) => this.#owner().betweenFlushes(...asked) },
      clock,
      logger: pino({ level: 'silent' }),
      idleMs: 5,
    });
    applier.start();
    onTestFinished(() => applier.stop());
  }

  static async open(database: TestDatabase, clock: ManualClock): Promise<WholeSystem> {
    const world = await WorkerWorld.open(database);
    const redis = openRedis(inject('redisUrl'), 'edge');
    onTestFinished(() => closeRedis(redis));
    await redisReady(redis, 5_000);
    const live = await LiveReader.open(world, database);
    return new WholeSystem(world, database, redis, live, clock);
  }

  /** Every plan is there in a product that starts usage anew with another plan, and in one that does not. */
  async offer(features: readonly FeatureRule[], offer: Offer): Promise<void> {
    for (const rule of features) await this.#features.create(featureOf(rule), this.#audit());
    for (const behavior of ['ALWAYS_RESET', 'NEVER_RESET'] as const) {
      const product = { ...makeProduct(behavior), usageResetCutoffRule: { behavior } };
      const plans = Object.entries(offer).map(([plan, grants]) =>
        planOf(`${behavior}-${plan}`, behavior, grants),
      );
      const bodies = [
        { kind: 'product', key: behavior, body: product } as const,
        ...plans.map((plan) => ({ kind: 'package', key: plan.refId, body: plan }) as const),
      ];
      const writes = bodies.map((body) => ({ ...body, expectedVersion: 0 }));
      await this.#commit(writes);
    }
    const [product, plan] = [makeProduct(site), planOf(site, site, siteGrants)];
    await this.#commit([
      { kind: 'product', key: site, expectedVersion: 0, body: product },
      { kind: 'package', key: site, expectedVersion: 0, body: plan },
    ]);
  }

  async open(account: Account): Promise<void> {
    const { customerId: key, plan, site: resourceId } = account;
    this.#world.customers.add(key);
    const body = { id: randomUUID(), refId: key, name: null, email: null, archivedAt: null };
    const write = { kind: 'customer', key, expectedVersion: 0, body } as const;
    await this.#commit([write]);
    await this.subscribe(account, plan);
    if (resourceId === null) return;
    const request = newSubscription(key, site, { resourceId });
    done(await this.#subscriptions.provision(request, this.#audit()));
  }

  async subscribe({ customerId, subscribed, isReset }: Account, plan: string): Promise<void> {
    const planId = `${isReset ? 'ALWAYS_RESET' : 'NEVER_RESET'}-${plan}`;
    const request = newSubscription(customerId, planId, { resourceId: subscribed });
    done(await this.#subscriptions.provision(request, this.#audit()));
  }

  /** As `updateFeature` does it. */
  async measureBy({ refId }: FeatureRule, rule: MeterRule): Promise<void> {
    const meter = meterOf(rule);
    const updatedAt = this.#clock.now();
    const outcome = await this.#features.update(refId, this.#audit(), (existing) => {
      return { feature: { ...existing, meter, updatedAt } };
    });
    done(outcome ?? { problem: { message: 'there is no such feature' } });
  }

  /** The worker that owns usage from now on; dies at the checkpoint, where there is one. */
  async startWorker(crash: CheckpointName | null): Promise<void> {
    await this.#worker?.stop();
    this.#worker = this.#world.worker({
      windowMs,
      clock: this.#clock,
      catalog: this.#features,
      entitlements: this.#entitlements(),
      checkpoint: (name) => {
        if (name === crash) throw new Error('an accident');
      },
    });
    await this.#worker.start();
  }

  async stopWorker(): Promise<void> {
    await this.#worker?.stop();
  }

  /** Answers what each measurement's reporter was told, once everything is processed. */
  async report(
    events: readonly Report[],
    measurements: readonly Report[],
    crash: CheckpointName | null,
  ): Promise<readonly string[]> {
    if (crash !== null) await this.startWorker(crash);
    if (events.length > 0) await this.#world.send(events.map(eventOf));
    const told = measurements.length > 0 ? this.#world.report(measurements.map(measurementOf), 20_000) : [];
    if (crash !== null) {
      if (events.length + measurements.length > 0) await this.#owner().ended();
      await this.startWorker(null);
    }
    const outcomes = await told;
    await this.#world.settled();
    return outcomes.map(outcomeText);
  }

  async correct({ report }: Entry, after: Content | null): Promise<void> {
    const { kind, customerId, name, key: idempotencyKey } = report;
    const isEvent = kind === 'EVENT';
    const named = isEvent ? { eventName: name, featureId: null } : { eventName: null, featureId: name };
    const amendment = after && { ...after, value: isEvent ? null : after.value };
    const reason = 'it was wrong';
    const outcome = await this.#corrections.correct(
      { id: null, customerId, idempotencyKey, timestamp: null, ...named },
      amendment === null ? { kind: 'VOID', reason } : { kind: 'AMEND', reason, amendment },
      this.#audit(),
    );
    done(outcome);
  }

  async check({ customerId, feature, resourceId }: Place): Promise<string> {
    const asked = { customerId, featureId: feature.refId, resourceId };
    const nothing = { requestedUsage: null, requestedValues: null };
    const checked = await this.#checks.check({ ...asked, ...nothing });
    const { entitlement, currentUsage, accessDeniedReason, isGranted } = checked;
    if (entitlement === null || currentUsage === null) return String(accessDeniedReason);
    const { usageLimit, usagePeriod } = entitlement;
    const limit = usageLimit === null ? 'none' : quantityToText(usageLimit);
    return checkText(quantityToText(currentUsage), limit, isGranted, usagePeriod);
  }

  async live({ customerId, feature, resourceId }: Place, span: Span | null): Promise<string> {
    const period: UsagePeriod | null = span && { ...span, anchor: span.start };
    const asked = { customerId, feature: await this.#feature(feature), resourceId, period };
    return (await this.#live.usage([asked])).join();
  }

  async recount(place: Place, period: Span | null, asOf?: number): Promise<string> {
    const bounds = asOf === undefined ? { period } : { period, asOf };
    return quantityToText(await this.#reader.currentUsage(await this.#scope(place), bounds));
  }

  /** The total, then each interval. */
  async history(place: Place, starts: readonly number[], end: number): Promise<readonly string[]> {
    const [start = end] = starts;
    const span = { start, end, interval: 'DAY', timezone: 'UTC', groupBy: null } as const;
    const { totalUsage, periods } = await this.#reader.history({ ...(await this.#scope(place)), ...span });
    if (periods.some((period, at) => period.start !== starts[at])) throw new Error('other intervals');
    return [totalUsage, ...periods.map(({ usage }) => usage)].map(quantityToText);
  }

  async #scope({ customerId, feature, resourceId }: Place) {
    return { customerId, feature: await this.#feature(feature), resourceId: resourceId ?? '' };
  }

  async #feature({ refId }: FeatureRule): Promise<Feature> {
    const feature = await this.#features.feature(refId);
    if (feature === undefined) throw new Error(`no feature ${refId}`);
    return feature;
  }

  #entitlements(): RecordEntitlements {
    const records = this.#records;
    const catalog = new RecordCatalog(records);
    return new RecordEntitlements({ records, catalog, features: this.#features, clock: this.#clock });
  }

  async #commit(writes: Parameters<RedisRecordStore['commit']>[0]): Promise<void> {
    const outcome = await this.#records.commit(writes, this.#audit());
    if (outcome !== 'committed') throw new Error(`not kept: ${outcome}`);
  }

  #owner(): AggregateWorker {
    if (this.#worker === undefined) throw new Error('no worker was started');
    return this.#worker;
  }

  #audit() {
    return { actor: 'test', traceId: 'trace', operation: 'test', at: this.#clock.now() };
  }
}

/** Nothing that a history does may be refused. */
function done(outcome: object): void {
  if ('problem' in outcome) throw new Error(`refused: ${JSON.stringify(outcome.problem)}`);
}

function featureOf({ refId, meter, divide }: FeatureRule): Feature {
  const units = { featureUnits: null, featureUnitsPlural: null };
  return aFeature(refId, {
    meter: meter && meterOf(meter),
    unitTransformation: divide === null ? null : { divide: String(divide), round: 'UP', ...units },
  });
}

function meterOf({ aggregation, field, eventName, bytesAbove }: MeterRule): Meter {
  const named = { field: 'eventName', operation: 'EQUALS', value: eventName, values: null } as const;
  const large = { field: 'bytes', operation: 'GREATER_THAN', value: bytesAbove, values: null } as const;
  return {
    aggregation: { function: aggregation, field },
    filters: [{ conditions: bytesAbove === null ? [named] : [named, large] }],
  };
}

/** The product and the plan of `siteGrants`. */
const site = 'site';

function planOf(refId: string, productId: string, grants: Readonly<Record<string, GrantRule>>) {
  const entitlements = Object.entries(grants).map(([featureId, grant]) => entitlementOf(featureId, grant));
  return makePlan(refId, productId, { entitlements });
}

function entitlementOf(featureId: string, { limit, isSoft, reset, according }: GrantRule) {
  return entitled(featureId, limit, {
    hasSoftLimit: isSoft === true,
    resetPeriod: reset ?? null,
    resetPeriodConfiguration: according === undefined ? null : { accordingTo: according },
  });
}

function eventOf({ customerId, key, name, resourceId, timestamp, receivedAt, dimensions }: Report) {
  const texts = Object.entries(dimensions);
  const more = { eventName: name, resourceId, timestamp, receivedAt, dimensions: texts };
  return anEvent(customerId, key, more);
}

function measurementOf({ customerId, value, name, key, dimensions, ...report }: Report) {
  const { resourceId, timestamp, receivedAt, updateBehavior, rejectIfExceeded } = report;
  return aMeasurement(customerId, value, {
    featureId: name,
    idempotencyKey: key,
    dimensions: Object.entries(dimensions),
    resourceId,
    timestamp,
    receivedAt,
    updateBehavior,
    rejectIfExceeded,
  });
}

function outcomeText(outcome: MeasurementOutcome): string {
  if ('error' in outcome) {
    const { code, currentUsage } = outcome.error;
    if (code === 'ENTITLEMENT_LIMIT_EXCEEDED') return `exceeded at ${currentUsage}`;
    return code === 'DUPLICATE_ENTITY' ? 'conflict' : code;
  }
  const { currentUsage, usageLimit, usagePeriodStart: start, usagePeriodEnd: end } = outcome;
  const period = start === null || end === null ? null : { start: Date.parse(start), end: Date.parse(end) };
  return answerText(currentUsage, usageLimit ?? 'none', period);
}
