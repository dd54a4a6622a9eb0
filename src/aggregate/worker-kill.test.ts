/**
 * Worker processes that die by SIGKILL, one after another on the same queue: at each named point of a flush, and at
 * any moment. In the end everything is exact, as if there had been one worker that lived.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFailed, onTestFinished, test } from 'vitest';
import { RedisFeatureCatalog } from '../catalog/redis-feature-catalog.ts';
import type { Feature } from '../catalog/feature.ts';
import { RedisCustomerDirectory } from '../customers/redis-customer-directory.ts';
import type { Acknowledgement, MeasurementOutcome } from '../metering/acknowledgement.ts';
import type { EventFact, MeasurementFact } from '../metering/facts.ts';
import { verdicts } from '../metering/identity.ts';
import { quantityToText } from '../quantity.ts';
import { closeRedis, openRedis, type Redis, redisReady } from '../queue/redis-connection.ts';
import { unaccounted } from '../queue/redis-queue.fixture.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageReader } from '../usage/clickhouse-usage-reader.ts';
import { checkpoints } from './checkpoint.ts';
import { planOf } from './plan.ts';
import { readBatch } from './read-batch.ts';
import {
  bytesOf,
  customerIds,
  Dice,
  EventTraffic,
  implicitSource,
  killWindowMs,
} from './kill-traffic.fixture.ts';
import { foldNaively, nano, reportedFeatures, stepOf, UsageTraffic } from './kill-usage.fixture.ts';
import { aFeature, WorkerWorld } from './worker.fixture.ts';
import type { Death, WorkerLife } from './worker-kill.fixture.ts';

const calls = aFeature('calls', { meter: { aggregation: { function: 'COUNT', field: null }, filters: [] } });
const bytes = aFeature('bytes', { meter: { aggregation: { function: 'SUM', field: 'bytes' }, filters: [] } });
const reported = reportedFeatures.map((refId) => aFeature(refId));

/** Far above what a busy machine takes for any one step. */
const patienceMs = 30_000;
