import { Readable } from 'node:stream';
import { randomUUID } from 'node:crypto';
import { createClient } from '@clickhouse/client';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  CorruptBlockError,
  EventBlock,
  EventBlockBuilder,
  eventBlockColumns,
  verdictColumn,
} from './event-block.ts';
import { type EventFact, factLimits } from './facts.ts';
import { anyEvent, someEvent } from './facts.fixture.ts';
import { contentDigest, eventIdentity } from './identity.ts';

describe('a block', () => {
  it('gives back the events that were put in, in order', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 20 }), (facts) => {
        const block = new EventBlock(payloadOf(facts));
        expect(factsOf(block)).toEqual(facts);
        facts.forEach((fact, row) => {
          expect(block.contentDigests[row]).toBe(contentDigest(fact.dimensions));
          expect(block.identities().subarray(4 * row, 4 * row + 4)).toEqual(eventIdentity(fact));
        });
      }),
    );
  });

  it('compares texts and finds dimensions by their bytes', () => {
    const block = new EventBlock(
      payloadOf([
        someEvent({
          eventName: 'upload',
          dimensions: [
            ['größe', '12'],
            ['größ', '1'],
            ['', 'empty'],
          ],
        }),
        someEvent({ eventName: 'uploads', dimensions: [] }),
      ]),
    );
    expect(block.textIs('event_name', 0, Buffer.from('upload'))).toBe(true);
    expect(block.textIs('event_name', 1, Buffer.from('upload'))).toBe(false);
    expect(block.textIs('event_name', 0, Buffer.from('uploaX'))).toBe(false);
    expect(block.dimension(0, Buffer.from('größe'))).toBe('12');
    expect(block.dimension(0, Buffer.from(''))).toBe('empty');
    expect(block.dimension(0, Buffer.from('gr'))).toBeUndefined();
    expect(block.dimension(1, Buffer.from('größe'))).toBeUndefined();
  });

  it('is wholly new after each finish, and as large as it was said to be', () => {
    const builder = new EventBlockBuilder();
    const rounds = [
      ['first', 'x'.repeat(300_000)],
      ['second', ''],
      ['third', 'é'.repeat(70)],
    ] as const;
    for (const [eventName, text] of rounds) {
      const fact = someEvent({ eventName, dimensions: [['text', text]] });
      builder.append(fact);
      expect(builder.count).toBe(1);
      const promised = builder.byteSize;
      const payload = builder.finish();
      expect(promised - payload.length).toBeGreaterThanOrEqual(0);
      expect(promised - payload.length).toBeLessThan(8);
      expect(factsOf(new EventBlock(payload))).toEqual([fact]);
      expect(builder.count).toBe(0);
    }
    expect(() => builder.finish()).toThrow(RangeError);
  });

  it('takes verdicts for exactly its rows, and copies nothing', () => {
    const payload = payloadOf([someEvent(), someEvent()]);
    const verdicts = Uint8Array.of(0, 1);
    const chunks = new EventBlock(payload).withVerdicts(verdicts);
    expect(chunks[1]?.buffer).toBe(payload.buffer);
    expect(chunks.at(-1)?.buffer).toBe(verdicts.buffer);
    expect(() => new EventBlock(payload).withVerdicts(Uint8Array.of(0))).toThrow(RangeError);
  });
});

describe('bytes that are no block', () => {
  const facts = [
    someEvent({ customerId: 'é'.repeat(150), source: 'urn:a' }),
    someEvent({
      idempotencyKey: 'k2',
      dimensions: [
        ['a', '1'],
        ['b', 'x'.repeat(200)],
      ],
    }),
    someEvent({ dimensions: [] }),
  ];
  const payload = payloadOf(facts);

  it('are refused at every length but the right one', () => {
    for (let length = 0; length < payload.length; length += 1) {
      expect(() => new EventBlock(payload.subarray(0, length))).toThrow(CorruptBlockError);
    }
    expect(() => new EventBlock(Buffer.concat([payload, Buffer.of(0)]))).toThrow(CorruptBlockError);
  });

  it('are refused, or read within their own bounds, whichever bit is turned', () => {
    // Neighbours in memory; one bit can make one Z of the payload's bytes, but never two side by side.
    const written = contentOf(new EventBlock(payload));
    const surrounded = Buffer.alloc(payload.length + 2_000, 'Z');
    for (let bit = 0; bit < payload.length * 8; bit += 1) {
      const view = surrounded.subarray(1_000, 1_000 + payload.length);
      payload.copy(view);
      const index = bit >> 3;
      view[index] = (view[index] ?? 0) ^ (1 << (bit & 7));
      const block = readOrRefuse(view);
      if (block === undefined) continue;
      expect(block.count).toBe(facts.length);
      const read = contentOf(block);
      expect(read).not.toContain('ZZ');
      // A bit that we overlook and ClickHouse does not would make the two read different events.
      expect(read).not.toBe(written);
    }
  });

  it('are refused without large memory or long walks, whatever they are', () => {
    const start = payload.subarray(0, 1);
    const header = fc.constantFrom(Buffer.alloc(0), start, payload.subarray(0, 60), payload.subarray(0, 300));
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 400 }), (known, random) => {
        const block = readOrRefuse(Buffer.concat([known, random]));
        // Reading what passed the checks must not throw either.
        expect(() => block === undefined || factsOf(block)).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });

  it('are refused when an instant is beyond what can be stored', () => {
    for (const timestamp of [factLimits.instantMin - 1, factLimits.instantMax + 1]) {
      expect(() => new EventBlock(payloadOf([someEvent({ timestamp })]))).toThrow(CorruptBlockError);
    }
  });
});

describe('in ClickHouse', () => {
  const database = `block_${randomUUID().replaceAll('-', '')}`;
  const client = createClient({ url: inject('clickhouseUrl') });
  const types = eventBlockColumns.map(([name, type]) => `${name} ${type}`).join(', ');
  const names = eventBlockColumns.map(([name]) => name).join(', ');

  beforeAll(async () => {
    await client.command({ query: `CREATE DATABASE ${database}` });
  });
  afterAll(async () => {
    await client.command({ query: `DROP DATABASE ${database}` });
    await client.close();
  });

  const insert = async (table: string, chunks: readonly Buffer[]): Promise<void> => {
    await client.command({
      query: `CREATE TABLE ${database}.${table} (${types}) ENGINE = MergeTree ORDER BY ()`,
    });
    const { stream } = await client.exec({
      query: `INSERT INTO ${database}.${table} (${names}) SELECT ${names}
        FROM input('${types.replaceAll("'", "\\'")}, ${verdictColumn.join(' ')}') WHERE verdict = 0 FORMAT Native`.replaceAll(
        /\s+/g,
        ' ',
      ),
      values: Readable.from(chunks, { objectMode: false }),
    });
    stream.resume();
  };
  const stored = async (table: string): Promise<unknown[]> => {
    const answer = await client.query({
      query: `SELECT content_digest, toUnixTimestamp64Milli(received_at) AS receivedAt,
          toUnixTimestamp64Milli(timestamp) AS timestamp, hex(event_name) AS eventName, hex(customer_id) AS customerId,
          hex(resource_id) AS resourceId, hex(idempotency_key) AS idempotencyKey, hex(source) AS source,
          arrayMap(k -> hex(k), mapKeys(dimensions)) AS keys, arrayMap(v -> hex(v), mapValues(dimensions)) AS texts
        FROM ${database}.${table}`,
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    });
    return await answer.json();
  };

  it('each counted event is stored byte for byte, over several blocks', async () => {
    const generated = fc.sample(anyEvent, { numRuns: 300, seed: 20_240_517 });
    const extremes = [
      someEvent({ timestamp: factLimits.instantMin, receivedAt: 0x0a0a_0a0a }),
      someEvent({ timestamp: factLimits.instantMax, dimensions: [['\n\n', '0A0A\n\n; SELECT 1']] }),
      someEvent({ eventName: '', customerId: '', idempotencyKey: '', dimensions: [['', '']] }),
    ];
    const blocks = [generated.slice(0, 100), generated.slice(100), extremes];
    const chunks = blocks.flatMap((facts) =>
      new EventBlock(payloadOf(facts)).withVerdicts(Uint8Array.from(facts, (_, row) => verdictOf(row))),
    );
    await insert('byte_for_byte', chunks);
    const counted = blocks.flatMap((facts) => facts.filter((_, row) => verdictOf(row) === 0));
    const rows = await stored('byte_for_byte');
    expect(rows).toHaveLength(counted.length);
    expect(rows.map((row) => JSON.stringify(row)).toSorted()).toEqual(
      counted.map((fact) => JSON.stringify(toStored(fact))).toSorted(),
    );
  });
});

function payloadOf(facts: readonly EventFact[]): Buffer {
  const builder = new EventBlockBuilder();
  for (const fact of facts) builder.append(fact);
  return builder.finish();
}

function factsOf(block: EventBlock): EventFact[] {
  return Array.from({ length: block.count }, (_, row) => block.fact(row));
}

function contentOf(block: EventBlock): string {
  const digests = [...block.contentDigests];
  return JSON.stringify([[...block.identities()], digests, factsOf(block)]);
}

function readOrRefuse(bytes: Buffer): EventBlock | undefined {
  try {
    return new EventBlock(bytes);
  } catch (error) {
    if (error instanceof CorruptBlockError) return undefined;
    throw error;
  }
}

/** One in three counts. */
function verdictOf(row: number): number {
  return row % 3;
}

function hex(text: string): string {
  return Buffer.from(text).toString('hex').toUpperCase();
}

function toStored(fact: EventFact): unknown {
  return {
    content_digest: contentDigest(fact.dimensions),
    receivedAt: fact.receivedAt,
    timestamp: fact.timestamp,
    eventName: hex(fact.eventName),
    customerId: hex(fact.customerId),
    resourceId: hex(fact.resourceId),
    idempotencyKey: hex(fact.idempotencyKey),
    source: hex(fact.source),
    keys: fact.dimensions.map(([key]) => hex(key)),
    texts: fact.dimensions.map(([, text]) => hex(text)),
  };
}
