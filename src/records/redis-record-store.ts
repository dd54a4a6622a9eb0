/** Records in Redis; their form there: `record-scripts.ts`. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type BoundedKind, kindRule, type RecordKind } from './record-kinds.ts';
import {
  allScript,
  byIdScript,
  closedReply,
  commitScript,
  marksScript,
  membersScript,
  pageScript,
  readScript,
  revisionScript,
} from './record-scripts.ts';
import {
  type Audit,
  type CommitOutcome,
  type KindContent,
  type RecordExpectation,
  type RecordIndex,
  type RecordPage,
  type RecordPageQuery,
  type RecordPlace,
  type RecordRef,
  RecordsClosedError,
  RecordsOverloadedError,
  type RecordStore,
  RecordsUnavailableError,
  type RecordWrite,
  type SealedLetter,
  type StoredRecord,
} from './record-store.ts';
import { type RecordKeys, recordKeys } from './record-keys.ts';

/** Commits that wait for the change log. An outbox that is full of the largest commits holds some gigabytes. */
export const outboxEntriesMax = 50_000;

/** Letters that wait to be delivered, of some kilobytes each. */
const lettersMax = 10_000;

/** Lua hands a command some 8,000 arguments at most, and the outbox takes twelve for each write. */
const writesMax = 500;

export interface RedisRecordStoreOptions {
  readonly outboxEntriesMax?: number;
  readonly lettersMax?: number;
  /**
   * Whether records must have been opened before they are used (`redis-record-opening.ts`), so that a Redis which was
   * emptied is never taken for one without records: true wherever there is a change log to make them again from.
   * Default false.
   */
  readonly mustBeOpen?: boolean;
}

/** In which life the records have to be, to the scripts. */
const lives = { any: '?', none: '' } as const;

export class RedisRecordStore implements RecordStore {
  readonly #redis: Redis;
  readonly #keys: RecordKeys;
  readonly #outboxEntriesMax: number;
  readonly #lettersMax: number;
  readonly #mustBeOpen: boolean;
  #life = '';

  /** Works on any connection; it stays the caller's to close. */
  constructor(redis: Redis, namespace: string, options: RedisRecordStoreOptions = {}) {
    this.#redis = redis;
    this.#keys = recordKeys(namespace);
    this.#outboxEntriesMax = options.outboxEntriesMax ?? outboxEntriesMax;
    this.#lettersMax = options.lettersMax ?? lettersMax;
    this.#mustBeOpen = options.mustBeOpen ?? false;
  }

  life(): string {
    return this.#life;
  }

  async read(refs: readonly RecordRef[]): Promise<readonly (StoredRecord | undefined)[]> {
    if (refs.length === 0) return [];
    const asked = refs.flatMap(({ kind, key }) => [kind, key]);
    const [life, ...texts] = (await this.#run(readScript, [], [this.#keys.prefix, ...asked])) as Texts;
    this.#life = life ?? '';
    return refs.map(({ kind, key }, at) => recordOf(kind, key, texts[at * 2], texts[at * 2 + 1]));
  }

  async byId(kind: RecordKind, id: string): Promise<StoredRecord | undefined> {
    const { ids, records, personal } = this.#keys.of(kind);
    const [key, line, fields] = (await this.#run(byIdScript, [ids, records, personal], [id])) as Texts;
    return recordOf(kind, key ?? '', line, fields);
  }

  async all(kind: BoundedKind): Promise<KindContent> {
    const { records } = this.#keys.of(kind);
    const reply = await this.#run(allScript, [records], [kind]);
    const [revision, ...pairs] = reply as [string, ...string[]];
    const found = pairs.map((key, at) =>
      at % 2 === 0 && key !== '' ? recordOf(kind, key, pairs[at + 1], null) : undefined,
    );
    return { revision, records: found.filter((record) => record !== undefined) };
  }

  async revision(kind: RecordKind): Promise<string> {
    return String(await this.#run(revisionScript, [], [kind]));
  }

  async marks(kinds: readonly RecordKind[], refs: readonly RecordRef[]): Promise<readonly string[]> {
    const asked = refs.flatMap(({ kind, key }) => [kind, key]);
    const args = [this.#keys.prefix, kinds.length, ...kinds, ...asked];
    return (await this.#run(marksScript, [], args)) as string[];
  }

  async page(query: RecordPageQuery): Promise<RecordPage> {
    const { kind, scoreFrom, scoreBefore, limit } = query;
    const { records, personal, intersection, index } = this.#keys.of(kind);
    const ascending = query.order === 'ascending';
    const above = ascending ? query.after : query.before;
    const below = ascending ? query.before : query.after;
    const fromLow = ascending === (query.end === 'first');
    const bounds = [scoreFrom ?? '-inf', scoreBefore ?? '+inf'];
    const reply = await this.#run(
      pageScript,
      [records, personal, intersection, ...query.indexes.map(index)],
      [...bounds, ...placeArguments(above), ...placeArguments(below), fromLow ? 'low' : 'high', limit],
    );
    const [totalCount, moreLow, moreHigh, keys, lines, fields] = reply as PageReply;
    const found = keys
      .map((key, at) => recordOf(kind, key, lines[at], fields[at]))
      .filter((record) => record !== undefined);
    return {
      records: ascending ? found : found.toReversed(),
      totalCount,
      hasNextPage: (ascending ? moreHigh : moreLow) === 1,
      hasPreviousPage: (ascending ? moreLow : moreHigh) === 1,
    };
  }

  async members(kind: RecordKind, index: string, keys: readonly string[]): Promise<ReadonlySet<string>> {
    const asked = [...new Set(keys)];
    if (asked.length === 0) return new Set();
    return new Set((await this.#run(membersScript, [this.#keys.of(kind).index(index)], asked)) as string[]);
  }

  async commit(
    writes: readonly RecordWrite[],
    audit: Audit,
    unchanged: readonly RecordExpectation[] = [],
    letters: readonly SealedLetter[] = [],
    life = '',
  ): Promise<CommitOutcome> {
    if (writes.length === 0 && letters.length === 0) return 'committed';
    const { outbox, prefix } = this.#keys;
    assertWritable(writes);
    const bounds = [this.#outboxEntriesMax, this.#lettersMax];
    const counts = [writes.length, letters.length];
    const about = [prefix, randomUUID(), JSON.stringify(audit), ...bounds, ...counts];
    const outcome = await this.#run(
      commitScript,
      [outbox, this.#keys.letters],
      [
        ...about,
        ...writes.flatMap(writeArguments),
        ...letters.flatMap(({ customerId, id, text }) => [customerId, id, text]),
        ...unchanged.flatMap(({ kind, key, expectedVersion }) => [kind, key, expectedVersion]),
      ],
      life,
    );
    switch (outcome) {
      case 'committed':
      case 'conflict':
      case 'full':
        return outcome;
      case 'outbox-full':
        throw new RecordsOverloadedError('too many changes wait for the change log');
      case 'letters-full':
        throw new RecordsOverloadedError('too much billing information waits for BILLING_WEBHOOK_URL');
      default:
        throw new Error(`the commit script answered ${String(outcome)}`);
    }
  }

  /** What Redis itself refuses is a fault of ours; everything else is a Redis that does not answer. */
  async #run(
    lua: string,
    keys: readonly string[],
    args: readonly (string | number)[],
    life = '',
  ): Promise<unknown> {
    const open = !this.#mustBeOpen ? lives.none : life === '' ? lives.any : life;
    try {
      return await this.#redis.eval(lua, keys.length + 1, this.#keys.revisions, ...keys, open, ...args);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error.message.includes(closedReply)) throw new RecordsClosedError();
      if (error.name === 'ReplyError') throw error;
      throw new RecordsUnavailableError('Redis does not answer', { cause: error });
    }
  }
}

type Texts = readonly (string | null | undefined)[];

type PageReply = [
  totalCount: number,
  moreLow: number,
  moreHigh: number,
  keys: readonly string[],
  lines: Texts,
  fields: Texts,
];

const linePattern = /^(\d+)\n[^\n]*\n[^\n]*\n[^\n]*\n(.*)$/s;

function recordOf(
  kind: RecordKind,
  key: string,
  line: string | null | undefined,
  personal: string | null | undefined,
): StoredRecord | undefined {
  if (line === null || line === undefined) return undefined;
  const [, version, text] = linePattern.exec(line) ?? [];
  if (version === undefined || text === undefined) throw new Error(`the record of a ${kind} cannot be read`);
  const body: unknown = JSON.parse(text);
  return { kind, key, version: Number(version), body: withPersonal(kind, body, personal) };
}

/** Personal fields that are not kept are null. */
function withPersonal(kind: RecordKind, body: unknown, personal: string | null | undefined): unknown {
  const { personalFields } = kindRule(kind);
  if (personalFields === undefined) return body;
  const none = Object.fromEntries(personalFields.map((field) => [field, null]));
  const kept = personal?.slice(personal.indexOf('\n') + 1);
  return { ...(body as object), ...none, ...(kept === undefined ? {} : (JSON.parse(kept) as object)) };
}

function placeArguments(place: RecordPlace | null): [string | number, string] {
  return place === null ? ['', ''] : [place.score, place.key];
}

function assertWritable(writes: readonly RecordWrite[]): void {
  if (writes.length > writesMax) throw new Error(`a commit has at most ${writesMax} writes`);
  const refs = new Set(writes.map(({ kind, key }) => `${kind} ${key}`));
  if (refs.size < writes.length) throw new Error('a commit writes each record once');
}

/** In the order that the commit script reads; see there. */
function writeArguments({
  kind,
  key,
  expectedVersion,
  body,
  indexes = [],
}: RecordWrite): readonly (string | number)[] {
  const { recordsMax = '', personalFields = [] } = kindRule(kind);
  if (body === null) return [kind, key, expectedVersion, recordsMax, '', '[]', '', '[]', ''];
  const fields = Object.entries(body as object);
  const personal = fields.filter(([name, value]) => personalFields.includes(name) && value !== null);
  const others = fields.filter(([name]) => !personalFields.includes(name));
  const id = fields.find(([name]) => name === 'id')?.[1] as unknown;
  return [
    kind,
    key,
    expectedVersion,
    recordsMax,
    typeof id === 'string' ? id : '',
    indexText(indexes.filter((index) => index.personal !== true)),
    JSON.stringify(Object.fromEntries(others)),
    indexText(indexes.filter((index) => index.personal === true)),
    personal.length === 0 ? '' : JSON.stringify(Object.fromEntries(personal)),
  ];
}

/** Scores as texts: Lua would write a number of 13 digits with an exponent. */
function indexText(indexes: readonly RecordIndex[]): string {
  return JSON.stringify(indexes.map(({ name, score }) => [name, String(score)]));
}
