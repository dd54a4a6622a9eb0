/**
 * Usage counted the naive way, for tests to compare with: one pass over facts in memory, amounts as BigInts of
 * 10^-30. It shares nothing with the code under test but the verdict of a meter on one event.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { evaluateMeter } from '../catalog/meter-evaluation.ts';
import type { AggregationFunction, Meter } from '../catalog/meter.ts';
import type { Feature } from '../catalog/feature.ts';
import { instantText } from '../store/clickhouse-database.fixture.ts';

export interface StoredEvent {
  readonly customerId: string;
  readonly resourceId: string;
  readonly eventName: string;
  readonly idempotencyKey: string;
  readonly timestamp: number;
  /** `receivedAt` of this module when absent. */
  readonly receivedAt?: number;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface StoredMeasurement {
  readonly id: string;
  readonly customerId: string;
  readonly resourceId: string;
  readonly featureId: string;
  readonly flush: number;
  readonly position: number;
  readonly timestamp: number;
  readonly receivedAt?: number;
  readonly updateBehavior: 'DELTA' | 'SET';
  /** Plain decimal text. */
  readonly value: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

/** Recent, since conflicts are forgotten 90 days after receipt. */
export const receivedAt = Date.now();

export async function insertEvents(
  client: ClickHouseClient,
  events: readonly StoredEvent[],
  table = 'events',
): Promise<void> {
  const values = events.map((event) => ({
    flush: 1,
    content_digest: 7,
    received_at: instantText(event.receivedAt ?? receivedAt),
    timestamp: instantText(event.timestamp),
    event_name: event.eventName,
    customer_id: event.customerId,
    resource_id: event.resourceId,
    idempotency_key: event.idempotencyKey,
    source: '',
    dimensions: event.dimensions,
  }));
  await client.insert({ table, values, format: 'JSONEachRow', clickhouse_settings: insertSettings });
}

export async function insertMeasurements(
  client: ClickHouseClient,
  measurements: readonly StoredMeasurement[],
): Promise<void> {
  const values = measurements.map((measurement) => ({
    flush: measurement.flush,
    position: measurement.position,
    id: measurement.id,
    content_digest: 7,
    received_at: instantText(measurement.receivedAt ?? receivedAt),
    timestamp: instantText(measurement.timestamp),
    feature_id: measurement.featureId,
    customer_id: measurement.customerId,
    resource_id: measurement.resourceId,
    idempotency_key: '',
    update_behavior: measurement.updateBehavior,
    value: measurement.value,
    current_usage: '0',
    dimensions: measurement.dimensions,
  }));
  await client.insert({
    table: 'measurements',
    values,
    format: 'JSONEachRow',
    clickhouse_settings: insertSettings,
  });
}

const insertSettings = { max_partitions_per_insert_block: '0' } as const;

/** A feature of which only what usage depends on matters. */
export function featureOf(refId: string, meter: Meter | null): Feature {
  return {
    id: `00000000-0000-4000-8000-${refId.padStart(12, '0')}`,
    refId,
    displayName: refId,
    description: null,
    featureType: 'NUMBER',
    meterType: 'INCREMENTAL',
    featureUnits: null,
    featureUnitsPlural: null,
    enumConfiguration: null,
    unitTransformation: null,
    meter,
    featureStatus: 'ACTIVE',
    additionalMetaData: null,
    createdAt: 0,
    updatedAt: 0,
  };
}

export function countsEvent(meter: Meter, event: StoredEvent): boolean {
  return verdictOf(meter, event).outcome === 'counted';
}

/** Plain decimal text of the usage of these events. */
export function usageOfEvents(meter: Meter, events: readonly StoredEvent[]): string {
  const field = meter.aggregation.field ?? '';
  const texts = events
    .filter((event) => countsEvent(meter, event))
    .map((event) => (field === 'eventName' ? event.eventName : (event.dimensions[field] ?? '')));
  return scaledToText(aggregate(meter.aggregation.function, texts));
}

function verdictOf(meter: Meter, event: StoredEvent) {
  return evaluateMeter(meter, event.eventName, (key) =>
    Object.hasOwn(event.dimensions, key) ? event.dimensions[key] : undefined,
  );
}

function aggregate(name: AggregationFunction, texts: readonly string[]): bigint {
  if (texts.length === 0) return 0n;
  if (name === 'COUNT') return BigInt(texts.length) * one;
  if (name === 'UNIQUE') return BigInt(new Set(texts).size) * one;
  const amounts = texts.map(textToScaled);
  if (name === 'MAX') return amounts.reduce((a, b) => (a > b ? a : b));
  if (name === 'MIN') return amounts.reduce((a, b) => (a < b ? a : b));
  const sum = amounts.reduce((a, b) => a + b, 0n);
  return name === 'AVG' ? dividedHalfUp(sum, BigInt(texts.length)) : sum;
}

/** What each measurement changed, in order, from zero: the fold of each resource for itself. */
export function changesOf(
  measurements: readonly StoredMeasurement[],
): readonly { readonly measurement: StoredMeasurement; readonly change: bigint }[] {
  const folds = new Map<string, bigint>();
  return measurements
    .toSorted((a, b) => a.timestamp - b.timestamp || a.flush - b.flush || a.position - b.position)
    .map((measurement) => {
      const before = folds.get(measurement.resourceId) ?? 0n;
      const value = textToScaled(measurement.value);
      const after = measurement.updateBehavior === 'SET' ? value : before + value;
      folds.set(measurement.resourceId, after);
      return { measurement, change: after - before };
    });
}

const one = 10n ** 30n;

/** Of a text in JSON's number grammar with at most 30 digits after the point once the exponent is applied. */
export function textToScaled(text: string): bigint {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = BigInt(whole + fraction);
  const power = 30 + Number(exponent) - fraction.length;
  const scaled = digits * 10n ** BigInt(power);
  return mantissa.startsWith('-') ? -scaled : scaled;
}

export function scaledToText(scaled: bigint): string {
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(31, '0');
  const fraction = digits.slice(-30).replace(/0+$/, '');
  return `${scaled < 0n ? '-' : ''}${digits.slice(0, -30)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Half away from zero, as the decimals' ROUND_HALF_UP does. */
function dividedHalfUp(dividend: bigint, divisor: bigint): bigint {
  const size = dividend < 0n ? -dividend : dividend;
  const quotient = (2n * size + divisor) / (2n * divisor);
  return dividend < 0n ? -quotient : quotient;
}
