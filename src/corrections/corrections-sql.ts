/** The questions about items and their corrections. Pure. */
import { SqlParameters, type SqlStatement } from '../store/sql-statement.ts';
import { eventIdSql } from '../usage/reported-sql.ts';
import { candidatesMax, type ItemKey, type ItemName, type StoredItem } from './correction.ts';

export interface ItemRow {
  readonly itemId: string;
  readonly itemKind: StoredItem['kind'];
  readonly customerId: string;
  readonly resourceId: string;
  readonly itemName: string;
  readonly idempotencyKey: string;
  readonly itemSource: string;
  readonly receivedAt: string;
  readonly updateBehavior: '' | 'DELTA' | 'SET';
  readonly flushId: string;
  readonly place: number;
  readonly happenedAt: string;
  readonly amount: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface CorrectionRow {
  readonly itemId: string;
  readonly itemKind: StoredItem['kind'];
  readonly correctionId: string;
  readonly action: 'VOID' | 'AMEND';
  readonly reason: string;
  readonly actor: string;
  readonly madeAt: string;
  readonly happenedAt: string;
  readonly amount: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

/**
 * Answers `ItemRow`s; null for an id that no item can have. With a customer the tables' keys serve it. By an event's
 * id alone it reads the timestamps of its month, 8 bytes a row; by a measurement's id alone the ids of all, 16 bytes.
 */
export function itemSql(name: ItemName): SqlStatement | null {
  const params = new SqlParameters();
  const customer = name.customerId === null ? [] : [`customer_id = ${params.text(name.customerId)}`];
  const sources = name.id === null ? keySources(name, params) : idSources(name.id, params);
  if (sources.length === 0) return null;
  const found = sources.map(
    ({ select, conditions }) => `${select} WHERE ${[...customer, ...conditions].join(' AND ')}`,
  );
  return params.statement(
    `SELECT * FROM (${found.join(' UNION ALL ')}) ORDER BY itemId LIMIT ${candidatesMax}`,
  );
}

/** Answers `CorrectionRow`s, oldest first. Those that a merge has not removed yet are there twice. */
export function correctionsOfSql(items: readonly ItemKey[]): SqlStatement {
  const params = new SqlParameters();
  const customers = params.texts([...new Set(items.map(({ customerId }) => customerId))]);
  const ids = params.texts(items.map(({ id }) => id));
  return params.statement(
    'SELECT item AS itemId, toString(kind) AS itemKind, toString(id) AS correctionId, ' +
      'toString(action) AS action, reason, toString(actor) AS actor, ' +
      `${milliseconds('made_at')} AS madeAt, ${milliseconds('timestamp')} AS happenedAt, ` +
      'toString(value) AS amount, dimensions FROM corrections ' +
      `WHERE customer_id IN (${customers}) AND kind IN ('EVENT', 'MEASUREMENT') AND item IN (${ids}) ` +
      'ORDER BY made_at, id LIMIT 1 BY id',
  );
}

interface ItemSource {
  readonly select: string;
  readonly conditions: readonly string[];
}

const milliseconds = (column: string) => `toString(toUnixTimestamp64Milli(${column}))`;

const common =
  'customer_id AS customerId, toString(resource_id) AS resourceId, idempotency_key AS idempotencyKey, ' +
  `${milliseconds('received_at')} AS receivedAt, toString(flush) AS flushId, ` +
  `${milliseconds('timestamp')} AS happenedAt, dimensions`;

const selectEvents =
  `SELECT ${eventIdSql} AS itemId, 'EVENT' AS itemKind, ${common}, toString(event_name) AS itemName, ` +
  "toString(source) AS itemSource, '' AS updateBehavior, toUInt32(0) AS place, '' AS amount FROM events";

const selectMeasurements =
  `SELECT toString(id) AS itemId, 'MEASUREMENT' AS itemKind, ${common}, toString(feature_id) AS itemName, ` +
  "'' AS itemSource, toString(update_behavior) AS updateBehavior, position AS place, " +
  'toString(value) AS amount FROM measurements';

const eventIdForm = /^[0-9a-f]{32}-(-?\d{1,14})$/;
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function idSources(id: string, params: SqlParameters): readonly ItemSource[] {
  const [, milli] = eventIdForm.exec(id) ?? [];
  if (milli !== undefined) {
    const timestamp = `timestamp = ${params.instant(Number(milli))}`;
    return [{ select: selectEvents, conditions: [timestamp, `${eventIdSql} = ${params.text(id)}`] }];
  }
  if (!uuidForm.test(id)) return [];
  return [{ select: selectMeasurements, conditions: [`id = toUUID(${params.text(id)})`] }];
}

function keySources(name: ItemName, params: SqlParameters): readonly ItemSource[] {
  const { eventName, featureId, idempotencyKey, timestamp } = name;
  const conditions = [
    `idempotency_key = ${params.text(idempotencyKey ?? '')}`,
    ...(timestamp === null ? [] : [`timestamp = ${params.instant(timestamp)}`]),
  ];
  if (eventName !== null) {
    return [{ select: selectEvents, conditions: [`event_name = ${params.text(eventName)}`, ...conditions] }];
  }
  const feature = `feature_id = ${params.text(featureId ?? '')}`;
  return [{ select: selectMeasurements, conditions: [feature, ...conditions] }];
}
