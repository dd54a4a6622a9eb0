import type { ClickHouseClient } from '@clickhouse/client';
import { quantityFromClickhouse, quantityToText } from '../quantity.ts';
import { classifyClickhouseError, selectRows } from '../store/clickhouse-client.ts';
import type {
  CorrectedItem,
  Correction,
  CorrectionStore,
  ItemContent,
  ItemKey,
  ItemName,
  StoredItem,
} from './correction.ts';
import { contentOf } from './correction-decision.ts';
import { type CorrectionRow, correctionsOfSql, type ItemRow, itemSql } from './corrections-sql.ts';

/** Ids of events have some 50 characters, customers' up to 255: both parameters stay below a server's 128 KiB. */
const itemsPerQuestion = 200;

/** Fails with the errors of `clickhouse-client.ts`. */
export class ClickhouseCorrectionStore implements CorrectionStore {
  readonly #client: ClickHouseClient;

  constructor(client: ClickHouseClient) {
    this.#client = client;
  }

  async find(name: ItemName): Promise<readonly StoredItem[]> {
    const statement = itemSql(name);
    if (statement === null) return [];
    return (await selectRows<ItemRow>(this.#client, statement)).map(rowToItem);
  }

  async of(items: readonly ItemKey[]): Promise<ReadonlyMap<string, readonly Correction[]>> {
    const corrections = new Map<string, Correction[]>();
    for (let from = 0; from < items.length; from += itemsPerQuestion) {
      const statement = correctionsOfSql(items.slice(from, from + itemsPerQuestion));
      for (const row of await selectRows<CorrectionRow>(this.#client, statement)) {
        const ofItem = corrections.get(row.itemId);
        if (ofItem === undefined) corrections.set(row.itemId, [rowToCorrection(row)]);
        else ofItem.push(rowToCorrection(row));
      }
    }
    return corrections;
  }

  /** No token: a row that is stored again is its own equal, which neither reading nor merging heeds. */
  async insert(corrected: readonly CorrectedItem[]): Promise<void> {
    const values = corrected.flatMap(({ item, corrections }) =>
      corrections.map((correction, index) => correctionToRow(item, correction, corrections.slice(0, index))),
    );
    try {
      await this.#client.insert({
        table: 'corrections',
        values,
        format: 'JSONEachRow',
        clickhouse_settings: { async_insert: 0, wait_end_of_query: 1 },
      });
    } catch (error) {
      throw classifyClickhouseError(error);
    }
  }
}

function rowToItem(row: ItemRow): StoredItem {
  const isEvent = row.itemKind === 'EVENT';
  return {
    id: row.itemId,
    kind: row.itemKind,
    customerId: row.customerId,
    resourceId: row.resourceId,
    name: row.itemName,
    idempotencyKey: row.idempotencyKey,
    source: row.itemSource,
    receivedAt: Number(row.receivedAt),
    updateBehavior: row.updateBehavior === '' ? null : row.updateBehavior,
    flush: Number(row.flushId),
    position: row.place,
    content: contentFrom(row, isEvent),
  };
}

function rowToCorrection(row: CorrectionRow): Correction {
  return {
    id: row.correctionId,
    kind: row.action,
    reason: row.reason,
    at: Number(row.madeAt),
    actor: row.actor,
    after: row.action === 'VOID' ? null : contentFrom(row, row.itemKind === 'EVENT'),
  };
}

function contentFrom(row: ItemRow | CorrectionRow, isEvent: boolean): ItemContent {
  return {
    timestamp: Number(row.happenedAt),
    value: isEvent ? null : quantityToText(quantityFromClickhouse(row.amount)),
    dimensions: row.dimensions,
  };
}

/** What is voided has a content too, which nobody reads. */
function correctionToRow(item: StoredItem, correction: Correction, before: readonly Correction[]): object {
  const content = correction.after ?? contentOf(item, before);
  return {
    customer_id: item.customerId,
    kind: item.kind,
    item: item.id,
    made_at: instantText(correction.at),
    id: correction.id,
    action: correction.kind,
    reason: correction.reason,
    actor: correction.actor,
    name: item.name,
    resource_id: item.resourceId,
    idempotency_key: item.idempotencyKey,
    source: item.source,
    reported_timestamp: instantText(item.content.timestamp),
    measurement_id: item.kind === 'MEASUREMENT' ? item.id : noId,
    flush: item.flush,
    position: item.position,
    received_at: instantText(item.receivedAt),
    timestamp: instantText(content.timestamp),
    update_behavior: item.updateBehavior ?? '',
    value: content.value ?? '0',
    dimensions: content.dimensions,
  };
}

const noId = '00000000-0000-0000-0000-000000000000';

/** As JSONEachRow takes it for DateTime64(3, 'UTC'). */
function instantText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('T', ' ').replace('Z', '');
}
