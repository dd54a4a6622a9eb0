import { createHash, randomUUID } from 'node:crypto';
import { createClient } from '@clickhouse/client';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parseQuantity } from '../quantity.ts';
import { anyEvent, someEvent } from './facts.fixture.ts';
import {
  contentDigest,
  eventIdentity,
  eventIdentitySql,
  measurementContentDigest,
  measurementIdentity,
  measurementIdentitySql,
} from './identity.ts';

describe('an identity', () => {
  it('is the beginning of SHA-256 over length-prefixed UTF-8 bytes', () => {
    const fact = someEvent({ customerId: 'Zürich', source: 'urn:x' });
    const text = '5:event7:Zürich0:12:http_request2:k15:urn:x';
    expect(eventIdentity(fact)).toEqual(createHash('sha256').update(text, 'utf8').digest().subarray(0, 16));
  });

  it('differs when any of its parts differs, however they are cut', () => {
    const identities = [
      someEvent(),
      someEvent({ customerId: 'acm', resourceId: 'e' }),
      someEvent({ customerId: 'acme0:', eventName: '' }),
      someEvent({ resourceId: 'r' }),
      someEvent({ eventName: 'http' }),
      someEvent({ idempotencyKey: 'k2' }),
      someEvent({ source: 'urn:a' }),
    ].map((fact) => eventIdentity(fact).toString('hex'));
    const usage = { customerId: 'acme', resourceId: '', featureId: 'http_request', idempotencyKey: 'k1' };
    identities.push(measurementIdentity(usage).toString('hex'));
    expect(new Set(identities).size).toBe(8);
  });

  it('does not depend on what is no part of it', () => {
    const other = someEvent({ timestamp: 1, receivedAt: 2, dimensions: [] });
    expect(eventIdentity(other)).toEqual(eventIdentity(someEvent()));
  });
});

describe('a content digest', () => {
  it('does not depend on the order of dimensions, for any keys', () => {
    const shuffled = anyEvent.chain(({ dimensions }) =>
      fc.tuple(
        fc.constant(dimensions),
        fc.shuffledSubarray([...dimensions], { minLength: dimensions.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        expect(contentDigest(other)).toBe(contentDigest(one));
      }),
    );
  });

  it('sorts keys by their bytes, where UTF-16 would sort otherwise', () => {
    // U+1F9FE is F0 9F A7 BE, after U+FF5E (EF BD 9E); as UTF-16 it begins with D83E, before FF5E.
    expect(
      contentDigest([
        ['🧾', 'b'],
        ['~', 'a'],
      ]),
    ).toBe(contentDigest([], ['~', 'a', '🧾', 'b']));
  });

  it('tells texts that were moved between keys and values apart', () => {
    const digests = [
      [['a', 'b']],
      [['b', 'a']],
      [['ab', '']],
      [
        ['a', 'b'],
        ['', ''],
      ],
      [],
    ] as const;
    expect(new Set(digests.map((dimensions) => contentDigest(dimensions))).size).toBe(5);
  });

  it('of usage takes amounts by their value and includes the behaviour', () => {
    expect(usageDigest('1.50', 'DELTA')).toBe(usageDigest('15e-1', 'DELTA'));
    expect(usageDigest('1.5', 'DELTA')).not.toBe(usageDigest('1.5', 'SET'));
    expect(usageDigest('1.5', 'DELTA')).not.toBe(usageDigest('1.6', 'DELTA'));
  });
});

describe('in ClickHouse', () => {
  const database = `identity_${randomUUID().replaceAll('-', '')}`;
  const client = createClient({ url: inject('clickhouseUrl'), clickhouse_settings: { async_insert: 0 } });
  const facts = fc.sample(anyEvent, { numRuns: 500, seed: 20_240_518 });

  beforeAll(async () => {
    await client.command({ query: `CREATE DATABASE ${database}` });
    for (const name of ['event_name LowCardinality(String), source', 'feature_id']) {
      const table = name === 'feature_id' ? 'measurements' : 'events';
      await client.command({
        query: `CREATE TABLE ${database}.${table} (row UInt32, customer_id String,
          resource_id LowCardinality(String), idempotency_key String, ${name} LowCardinality(String))
          ENGINE = MergeTree ORDER BY row`,
      });
    }
    const shared = facts.map((fact, row) => ({
      row,
      customer_id: fact.customerId,
      resource_id: fact.resourceId,
      idempotency_key: fact.idempotencyKey,
    }));
    await client.insert({
      table: `${database}.events`,
      values: shared.map((row, index) => ({
        ...row,
        event_name: facts[index]?.eventName,
        source: facts[index]?.source,
      })),
      format: 'JSONEachRow',
    });
    await client.insert({
      table: `${database}.measurements`,
      values: shared.map((row, index) => ({ ...row, feature_id: facts[index]?.eventName })),
      format: 'JSONEachRow',
    });
  });
  afterAll(async () => {
    await client.command({ query: `DROP DATABASE ${database}` });
    await client.close();
  });

  const computed = async (expression: string, table: string): Promise<string[]> => {
    const answer = await client.query({
      query: `SELECT lower(hex(${expression} AS identity)) AS hex, toTypeName(identity) AS type
        FROM ${database}.${table} ORDER BY row`,
      format: 'JSONEachRow',
    });
    const rows = await answer.json<{ hex: string; type: string }>();
    expect(new Set(rows.map(({ type }) => type))).toEqual(new Set(['FixedString(16)']));
    return rows.map(({ hex }) => hex);
  };

  it('an event has the same identity, whatever its texts', async () => {
    const expected = facts.map((fact) => eventIdentity(fact).toString('hex'));
    expect(await computed(eventIdentitySql, 'events')).toEqual(expected);
  });

  it('a measurement has the same identity, whatever its texts', async () => {
    const expected = facts.map((fact) =>
      measurementIdentity({ ...fact, featureId: fact.eventName }).toString('hex'),
    );
    expect(await computed(measurementIdentitySql, 'measurements')).toEqual(expected);
  });
});

function usageDigest(value: string, updateBehavior: 'DELTA' | 'SET'): number {
  const quantity = parseQuantity(value);
  if (quantity === undefined) throw new Error(`${value} is no quantity`);
  return measurementContentDigest({ dimensions: [], value: quantity, updateBehavior });
}
