/**
 * Events and measurements as they count: what corrections name is left out, and what amendments put in its place is
 * there. The one place where SQL knows of corrections; every query of usage reads through it. Pure.
 */

export interface CountedRows {
  readonly table: 'events' | 'measurements';
  /** What is selected: expressions over the columns that usage depends on. */
  readonly columns: readonly string[];
  /** A condition on `customer_id` alone, which the rows asked for meet. */
  readonly customers: string;
  /** Conditions on such columns. */
  readonly conditions: readonly string[];
  /** An instant: only corrections made by then are heeded. Null: all. */
  readonly asOf: string | null;
}

/**
 * A SELECT of the rows. Expressions and conditions stand in both its branches, for only beside its table is a
 * dimension read without all the others.
 *
 * A customer without corrections costs no column more than the table alone would: how many there are is asked while
 * the query is planned, and with none the condition that would name more columns is folded away.
 */
export function countedRowsSql({ table, columns, customers, conditions, asOf }: CountedRows): string {
  const { kind, identity, correctedIdentity, amended } = sources[table];
  const made = asOf === null ? '' : ` AND made_at <= ${asOf}`;
  const corrections = `FROM corrections WHERE ${customers} AND kind = '${kind}'${made}`;
  const untouched =
    `((SELECT count() ${corrections}) = 0 OR ` +
    `${identity} NOT IN (SELECT ${correctedIdentity} ${corrections}))`;
  const newest = `SELECT ${amended}, action ${corrections} ORDER BY made_at DESC, id DESC LIMIT 1 BY item`;
  const selected = columns.join(', ');
  return (
    `SELECT ${selected} FROM ${table} WHERE ${[customers, ...conditions, untouched].join(' AND ')} ` +
    `UNION ALL SELECT ${selected} FROM (${newest}) WHERE ${["action = 'AMEND'", ...conditions].join(' AND ')}`
  );
}

const common = 'customer_id, resource_id, timestamp, received_at, flush, dimensions';

/** An event is named by its identity and timestamp (contract, 5.1), a measurement by its id. */
const sources = {
  events: {
    kind: 'EVENT',
    identity: '(event_name, timestamp, resource_id, idempotency_key, source)',
    correctedIdentity: 'name, reported_timestamp, resource_id, idempotency_key, source',
    amended: `${common}, name AS event_name`,
  },
  measurements: {
    kind: 'MEASUREMENT',
    identity: 'id',
    correctedIdentity: 'measurement_id',
    amended: `${common}, name AS feature_id, position, update_behavior, value`,
  },
} as const;
