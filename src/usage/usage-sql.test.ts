import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Meter } from '../catalog/meter.ts';
import { SqlParameters } from '../store/sql-statement.ts';
import { meterSql } from './meter-sql.ts';
import { reportedSql } from './reported-sql.ts';
import { meterArbitrary } from './usage-arbitraries.fixture.ts';
import { featureOf } from './usage-oracle.fixture.ts';
import { currentUsageSql, usageHistorySql } from './usage-sql.ts';

const requests: Meter = {
  aggregation: { function: 'SUM', field: 'bytes' },
  filters: [
    {
      conditions: [
        { field: 'eventName', operation: 'EQUALS', value: 'request', values: null },
        { field: 'status', operation: 'IN', value: null, values: ['200', 'ok'] },
      ],
    },
  ],
};

describe('currentUsageSql', () => {
  it('compares the event’s name so that the primary key serves it', () => {
    const scope = { customerId: 'anna', feature: featureOf('1', requests), resourceId: 'r1' };
    const { sql, params } = currentUsageSql(scope);
    const conditions =
      '(event_name = {p2:String} AND ' +
      '(mapContains(dimensions, {p3:String}) AND dimensions[{p3:String}] IN ({p4:Array(String)}) OR ' +
      `ifNull(${amount('p3')} IN (arrayMap(text -> toDecimal256(text, 30), {p6:Array(String)})), 0)))`;
    expect(sql).toContain(
      'SELECT toString(sum(value)) AS amount, toString(count()) AS counted FROM (' +
        `SELECT assumeNotNull(${amount('p1')}) AS value FROM events ` +
        `WHERE customer_id = {p7:String} AND resource_id = {p8:String} AND (${conditions}) AND ` +
        `isNotNull(${amount('p1')}) AND ((SELECT count() FROM corrections WHERE customer_id = {p7:String} `,
    );
    // What was amended meets the same conditions.
    expect(sql).toContain(
      `WHERE action = 'AMEND' AND resource_id = {p8:String} AND (${conditions}) AND isNotNull(`,
    );
    expect(params).toMatchObject({
      p1: 'bytes',
      p2: 'request',
      p3: 'status',
      p4: ['ok'],
      p6: ['200'],
      p7: 'anna',
      p8: 'r1',
    });
  });

  it('reads measurements once, from each resource’s last SET on', () => {
    const scope = { customerId: 'anna', feature: featureOf('1', null), resourceId: '' };
    const { sql, params } = currentUsageSql(scope);
    expect(sql.match(/FROM measurements/g)).toHaveLength(1);
    expect(sql).toContain(
      'SELECT toString(sum(value)) AS amount, toString(count()) AS counted FROM (' +
        'SELECT value FROM (SELECT value, place, ' +
        "maxIf(place, update_behavior = 'SET') OVER (PARTITION BY resource_id) AS set_place, " +
        "countIf(update_behavior = 'SET') OVER (PARTITION BY resource_id) AS sets " +
        'FROM (SELECT resource_id, (timestamp, flush, position) AS place, update_behavior, value ' +
        'FROM measurements WHERE customer_id = {p1:String} AND feature_id = {p2:String} AND ((SELECT count() FROM corrections ',
    );
    expect(sql).toMatch(/\)\) WHERE sets = 0 OR place >= set_place\)$/);
    expect(params).toEqual({ p1: 'anna', p2: '1' });
  });
});

describe('usageHistorySql', () => {
  it('sends the bounds of the intervals as seconds after the first one', () => {
    const start = Date.UTC(2024, 0, 1, 10, 20, 30, 7);
    const starts = [start, Date.UTC(2024, 0, 1, 11), Date.UTC(2024, 0, 1, 12)];
    const scope = { customerId: 'anna', feature: featureOf('1', requests), resourceId: '' };
    const span = {
      start,
      end: start + 2 * 3_600_000,
      interval: 'HOUR',
      timezone: 'UTC',
      groupBy: null,
    } as const;
    const { params } = usageHistorySql({ ...scope, ...span }, starts);
    expect(Object.values(params)).toContainEqual([0, 2_370, 5_970]);
    expect(Object.values(params)).toContain(start - 7);
  });
});

describe('no text of a user', () => {
  it('is part of the SQL, whatever the meter', () => {
    fc.assert(
      fc.property(meterArbitrary, ({ aggregation, filters }) => {
        const meter: Meter = {
          aggregation: {
            ...aggregation,
            field: aggregation.field === null ? null : marked(aggregation.field),
          },
          filters: filters.map(({ conditions }) => ({
            conditions: conditions.map(({ field, operation, value, values }) => ({
              field: marked(field),
              operation,
              value: value === null ? null : marked(value),
              values: values?.map(marked) ?? null,
            })),
          })),
        };
        const feature = featureOf(marked('f'), meter);
        const scope = { customerId: marked('c'), feature, resourceId: marked('r') };
        const span = { start: 0, end: 1, interval: 'DAY', timezone: 'UTC', groupBy: marked('g') } as const;
        const log = { customerId: marked('c'), featureId: marked('f'), eventName: marked('e') };
        const [after, before] = ['id', 'other'].map((id) => ({ timestamp: 0, id: marked(id) }));
        const page = { from: 0, to: 1, after: after ?? null, before: before ?? null, limit: 1 };
        const texts = [
          currentUsageSql(scope),
          usageHistorySql({ ...scope, ...span }, [0]),
          reportedSql({ ...log, ...page, end: 'first' }, { meter }),
          currentUsageSql({ ...scope, feature: { ...feature, meter: null } }),
          usageHistorySql({ ...scope, ...span, feature: { ...feature, meter: null } }, [0]),
          reportedSql({ ...log, ...page, end: 'last', eventName: null }, { refId: marked('f') }),
        ].map((statement) => statement.sql);
        expect(texts.join('\n')).not.toMatch(/[«»]/);
      }),
    );
  });

  it('changes the SQL of a meter of the same shape', () => {
    const renamed = JSON.parse(
      JSON.stringify(requests).replaceAll('bytes', "b') OR 1 --").replace('ok', "'"),
    );
    expect(sqlOf(renamed as Meter)).toEqual(sqlOf(requests));
  });
});

/** The amount of the dimension named by one parameter, as the number pattern's parameter is `p5` there. */
function amount(key: string): string {
  const text = `dimensions[{${key}:String}]`;
  return `if(match(${text}, {p5:String}), toDecimal256OrNull(${text}, 30), NULL)`;
}

/** A text that no SQL of ours holds. */
function marked(text: string): string {
  return `«${text}»`;
}

function sqlOf(meter: Meter) {
  return meterSql(meter, new SqlParameters());
}
