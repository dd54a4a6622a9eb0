/**
 * The outbox in Redis: the stream that commits append to, and the batch that is on its way to the change log.
 * What a batch holds is fixed in Redis before it is first handed out, and nothing else is handed out before it is
 * done. So a batch that is taken again, after a crash or by two processes, is the same batch with the same token.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { ChangeEntry, ChangeWrite, Outbox, OutboxBatch, PersonalText } from './change-log.ts';
import { type RecordKeys, recordKeys } from './record-keys.ts';
import { personalKind, type RecordKind } from './record-kinds.ts';
import { closedReply, doneScript, personalScript, takeScript } from './record-scripts.ts';
import { type Audit, RecordsClosedError } from './record-store.ts';
import type { RedisRecordStoreOptions } from './redis-record-store.ts';

const entriesPerBatchMax = 500;

/** How long `forget` waits for a rewrite that is under way: 15 seconds. */
const rewriteAttemptsMax = 60;
const rewritePauseMs = 250;

/** A batch is closed by the entry that takes it past this; ClickHouse keeps 250 MB as one block. */
const batchBytesMax = 8 * 1_048_576;

export class RedisOutbox implements Outbox {
  readonly #redis: Redis;
  readonly #keys: RecordKeys;
  readonly #life: '?' | '';
  /** The life of the records when a batch was taken last. */
  #takenIn = '';

  constructor(
    redis: Redis,
    namespace: string,
    { mustBeOpen = false }: Pick<RedisRecordStoreOptions, 'mustBeOpen'> = {},
  ) {
    this.#redis = redis;
    this.#keys = recordKeys(namespace);
    this.#life = mustBeOpen ? '?' : '';
  }

  async take(): Promise<OutboxBatch | undefined> {
    const { outbox, outboxBatch, revisions } = this.#keys;
    const bounds = [entriesPerBatchMax, batchBytesMax];
    const keys = [outbox, outboxBatch, revisions];
    const reply = await this.#redis.eval(takeScript, keys.length, ...keys, randomUUID(), ...bounds);
    const [life, token, entries] = reply as TakeReply;
    this.#takenIn = life;
    return token === null ? undefined : { token, entries: entries.map(entryOf) };
  }

  async personal(keys: readonly string[]): Promise<readonly PersonalText[]> {
    const { records, personal } = this.#keys.of(personalKind);
    const scriptKeys = [this.#keys.revisions, records, personal];
    const reply = await this.#redis
      .eval(personalScript, scriptKeys.length, ...scriptKeys, this.#life, ...keys)
      .catch((error: unknown) => {
        throw messageOf(error).includes(closedReply) ? new RecordsClosedError() : error;
      });
    const [lines, contents] = reply as [(string | null)[], (string | null)[]];
    return keys.map((key, at) => ({
      key,
      version: Number(lines[at]?.slice(0, lines[at]?.indexOf('\n')) ?? 0),
      content: contents[at] ?? '',
    }));
  }

  async done(token: string): Promise<void> {
    const { outbox, outboxBatch, revisions } = this.#keys;
    const keys = [outbox, outboxBatch, revisions];
    await this.#redis.eval(doneScript, keys.length, ...keys, token, this.#takenIn);
  }

  size(): Promise<number> {
    return this.#redis.xlen(this.#keys.outbox);
  }

  async forget(): Promise<void> {
    // The append-only file keeps every command until it is rewritten. A Redis without one keeps none, and one that
    // does not let us ask is its operator's to look after.
    const persistence = await this.#redis.info('persistence').catch(() => '');
    if (!persistence.includes('aof_enabled:1')) return;
    for (let attempt = 0; attempt < rewriteAttemptsMax; attempt += 1) {
      const refusal = await this.#redis.bgrewriteaof().then(() => undefined, messageOf);
      // One that is under way began before the erasure and may have copied what was erased since.
      if (refusal?.includes('in progress') !== true) return;
      await delay(rewritePauseMs);
    }
  }
}

type TakeReply = [life: string, token: string | null, entries: readonly RawEntry[]];
type RawEntry = [id: string, fields: readonly string[]];

/** Pairs of name and value as the commit script wrote them; six for each write, two for each letter. */
function entryOf([id, fields]: RawEntry): ChangeEntry {
  const named = (name: string): readonly string[] =>
    fields.filter((_, at) => at % 2 === 1 && fields[at - 1] === name);
  const [commit = ''] = named('commit');
  const [audit = ''] = named('audit');
  return {
    id,
    commit,
    audit: JSON.parse(audit) as Audit,
    writes: groupsOf(6, named('write')).map(writeOf),
    letters: groupsOf(2, named('letter')).map(([customerId = '', letterId = '']) => ({
      customerId,
      id: letterId,
    })),
  };
}

function groupsOf(size: number, values: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: values.length / size }, (_, at) => values.slice(at * size, (at + 1) * size));
}

function writeOf(values: readonly string[]): ChangeWrite {
  const [kind = '', key = '', version = '', before = '', after = '', indexes = ''] = values;
  return { kind: kind as RecordKind, key, version: Number(version), before, after, indexes };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
