/**
 * The catalog of features in Redis: one hash of JSON texts by refId, and beside it the catalog's version, a
 * random text that every change replaces. Each process keeps the features of one version decoded, so a read
 * costs one GET while nothing changes, is never older than that GET, and moves 10,000 features (some 10 MB)
 * only after a change.
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { redisAnswer } from '../redis-answer.ts';
import type { Feature, FeatureCatalog } from './feature.ts';

/** Features that a catalog holds; a process keeps that many in memory. */
export const featuresMax = 10_000;

export class RedisFeatureCatalog implements FeatureCatalog {
  readonly #redis: Redis;
  readonly #featuresKey: string;
  readonly #versionKey: string;
  #snapshot: Snapshot = snapshotOf('', []);
  #reading: Promise<Snapshot> | undefined;

  constructor(redis: Redis, namespace: string) {
    this.#redis = redis;
    this.#featuresKey = `${namespace}:features`;
    this.#versionKey = `${namespace}:features-version`;
  }

  async feature(id: string): Promise<Feature | undefined> {
    const { byRefId, byId } = await this.#current();
    return byRefId.get(id) ?? byId.get(id);
  }

  async features(): Promise<readonly Feature[]> {
    const { oldestFirst } = await this.#current();
    return oldestFirst;
  }

  async create(feature: Feature): Promise<'created' | 'exists' | 'full'> {
    const values = [feature.refId, JSON.stringify(feature), randomUUID(), featuresMax];
    const reply = await redisAnswer(
      this.#redis.eval(createScript, 2, this.#featuresKey, this.#versionKey, ...values),
    );
    if (reply === 'created' || reply === 'exists' || reply === 'full') return reply;
    throw new Error(`the create script of the catalog answered ${String(reply)}`);
  }

  async #current(): Promise<Snapshot> {
    const version = (await redisAnswer(this.#redis.get(this.#versionKey))) ?? '';
    if (version === this.#snapshot.version) return this.#snapshot;
    // However many ask at once after a change, it is read once. A read that was under way before may have missed
    // the change; one that begins from here on has not.
    const earlier = await this.#reading;
    if (earlier?.version === version) return earlier;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<Snapshot> {
    const reply = await redisAnswer(this.#redis.eval(readScript, 2, this.#featuresKey, this.#versionKey));
    const [readVersion, ...texts] = reply as [string, ...string[]];
    this.#snapshot = snapshotOf(
      readVersion,
      texts.map((text) => JSON.parse(text) as Feature),
    );
    return this.#snapshot;
  }
}

interface Snapshot {
  readonly version: string;
  readonly oldestFirst: readonly Feature[];
  readonly byRefId: ReadonlyMap<string, Feature>;
  readonly byId: ReadonlyMap<string, Feature>;
}

function snapshotOf(version: string, features: readonly Feature[]): Snapshot {
  return {
    version,
    oldestFirst: features.toSorted((a, b) => a.createdAt - b.createdAt || (a.refId < b.refId ? -1 : 1)),
    byRefId: new Map(features.map((feature) => [feature.refId, feature])),
    byId: new Map(features.map((feature) => [feature.id, feature])),
  };
}

/** KEYS: features, version. ARGV: refId, the feature's JSON, the next version, the bound. */
const createScript = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 'exists' end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
return 'created'
`;

/** KEYS: features, version. Both as one state: the version first, then every feature's JSON. */
const readScript = `
local reply = redis.call('HVALS', KEYS[1])
table.insert(reply, 1, redis.call('GET', KEYS[2]) or '')
return reply
`;
