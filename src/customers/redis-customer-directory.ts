/**
 * Customers in Redis: a hash of JSON texts by refId, and a sorted set that orders their refIds by `createdAt`
 * (Redis itself orders equal ones bytewise). One more such set for each name and each e-mail in use serves the
 * filters on them; its key carries a hash, so that no key name shows whom it is about. A customer costs some
 * 250 bytes for each of the three sets besides its JSON.
 */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { redisAnswer } from '../redis-answer.ts';
import {
  type Customer,
  CustomerContendedError,
  type CustomerFilter,
  type CustomerPage,
  type CustomerPageQuery,
  type CustomerPlace,
  type CustomerRegister,
} from './customer.ts';

/** In every round of competing writers one succeeds, so this many writers of one customer all get through. */
const attemptsMax = 200;

export class RedisCustomerDirectory implements CustomerRegister {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, namespace: string) {
    this.#redis = redis;
    this.#prefix = `${namespace}:customers`;
  }

  async customer(refId: string): Promise<Customer | undefined> {
    return customerFromText(await redisAnswer(this.#redis.hget(this.#prefix, refId)));
  }

  async existing(refIds: readonly string[]): Promise<ReadonlySet<string>> {
    const asked = [...new Set(refIds)];
    if (asked.length === 0) return new Set();
    const places = await redisAnswer(this.#redis.zmscore(this.#orderKey, ...asked));
    return new Set(asked.filter((_, index) => places[index] !== null));
  }

  async upsert(refId: string, change: (existing: Customer | undefined) => Customer): Promise<Customer> {
    const stored = await this.#replace(refId, change);
    if (stored === undefined) throw new Error('an upsert ended without a customer');
    return stored;
  }

  async update(refId: string, change: (existing: Customer) => Customer): Promise<Customer | undefined> {
    return this.#replace(refId, (existing) => (existing === undefined ? undefined : change(existing)));
  }

  async page(query: CustomerPageQuery): Promise<CustomerPage> {
    const { refId } = query.filter;
    if (refId !== null) return this.#pageOfOne(refId, query);
    const oldestFirst = query.order === 'oldest-first';
    const above = oldestFirst ? query.after : query.before;
    const below = oldestFirst ? query.before : query.after;
    const fromLow = oldestFirst === (query.end === 'first');
    const keys = [this.#prefix, `${this.#prefix}:both`, ...this.#indexKeys(query.filter)];
    const { createdFrom, createdBefore } = query.filter;
    const bounds = [createdFrom ?? '-inf', createdBefore ?? '+inf'];
    const places = [...placeArguments(above), ...placeArguments(below)];
    const size = [fromLow ? 'low' : 'high', query.limit];
    const reply = (await redisAnswer(
      this.#redis.eval(pageScript, keys.length, ...keys, ...bounds, ...places, ...size),
    )) as [total: number, moreLow: number, moreHigh: number, texts: (string | null)[]];
    const [totalCount, moreLow, moreHigh, texts] = reply;
    const customers = texts.map(customerFromText).filter((customer) => customer !== undefined);
    return {
      customers: oldestFirst ? customers : customers.toReversed(),
      totalCount,
      hasNextPage: (oldestFirst ? moreHigh : moreLow) === 1,
      hasPreviousPage: (oldestFirst ? moreLow : moreHigh) === 1,
    };
  }

  /** Compare and set: stores what `change` made of the customer if nobody else stored meanwhile, else again. */
  async #replace(
    refId: string,
    change: (existing: Customer | undefined) => Customer | undefined,
  ): Promise<Customer | undefined> {
    let text = await redisAnswer(this.#redis.hget(this.#prefix, refId));
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const existing = customerFromText(text);
      const next = change(existing);
      if (next === undefined || next === existing) return next;
      const outcome = await this.#compareAndSet(text, existing, next);
      if (outcome.stored) return next;
      text = outcome.found;
    }
    throw new CustomerContendedError('too many changes to this customer at once; send this one again');
  }

  /** Where it is not stored, the text that was found instead of the expected one. */
  async #compareAndSet(
    expected: string | null,
    existing: Customer | undefined,
    next: Customer,
  ): Promise<{ readonly stored: true } | { readonly stored: false; readonly found: string | null }> {
    const [before, after] = [new Set(this.#memberships(existing)), new Set(this.#memberships(next))];
    const left = [...before].filter((key) => !after.has(key));
    const joined = [...after].filter((key) => !before.has(key));
    const keys = [this.#prefix, ...left, ...joined];
    const values = [next.refId, expected ?? '', JSON.stringify(next), next.createdAt, left.length];
    const reply = await redisAnswer(this.#redis.eval(replaceScript, keys.length, ...keys, ...values));
    const [stored, found] = reply as [stored: number, found: string | null];
    return stored === 1 ? { stored: true } : { stored: false, found };
  }

  async #pageOfOne(refId: string, query: CustomerPageQuery): Promise<CustomerPage> {
    const customer = await this.customer(refId);
    if (customer === undefined || !meets(customer, query.filter)) return emptyPage;
    const wayAfter = query.after === null ? 1 : comparePlaces(customer, query.after);
    const wayBefore = query.before === null ? -1 : comparePlaces(customer, query.before);
    const sign = query.order === 'oldest-first' ? 1 : -1;
    const inside =
      (query.after === null || wayAfter * sign > 0) && (query.before === null || wayBefore * sign < 0);
    return { ...emptyPage, customers: inside ? [customer] : [], totalCount: 1 };
  }

  get #orderKey(): string {
    return `${this.#prefix}:order`;
  }

  /** The sorted sets that a customer is a member of. */
  #memberships(customer: Customer | undefined): string[] {
    if (customer === undefined) return [];
    return [this.#orderKey, ...this.#valueKeys(customer)];
  }

  /** The sorted sets whose common members meet the filter's texts. */
  #indexKeys(filter: CustomerFilter): string[] {
    const keys = this.#valueKeys(filter);
    return keys.length === 0 ? [this.#orderKey] : keys;
  }

  #valueKeys(of: Pick<Customer, 'name' | 'email'>): string[] {
    const keys: string[] = [];
    if (of.name !== null) keys.push(`${this.#prefix}:name:${digestOf(of.name)}`);
    if (of.email !== null) keys.push(`${this.#prefix}:email:${digestOf(of.email)}`);
    return keys;
  }
}

const emptyPage: CustomerPage = { customers: [], totalCount: 0, hasNextPage: false, hasPreviousPage: false };

function meets(customer: Customer, filter: CustomerFilter): boolean {
  return (
    (filter.name === null || customer.name === filter.name) &&
    (filter.email === null || customer.email === filter.email) &&
    (filter.createdFrom === null || customer.createdAt >= filter.createdFrom) &&
    (filter.createdBefore === null || customer.createdAt < filter.createdBefore)
  );
}

function comparePlaces(a: CustomerPlace, b: CustomerPlace): number {
  return a.createdAt - b.createdAt || Buffer.compare(Buffer.from(a.refId), Buffer.from(b.refId));
}

function placeArguments(place: CustomerPlace | null): [string | number, string] {
  return place === null ? ['', ''] : [place.createdAt, place.refId];
}

function customerFromText(text: string | null | undefined): Customer | undefined {
  return text === null || text === undefined ? undefined : (JSON.parse(text) as Customer);
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/**
 * KEYS: customers, the sorted sets to leave, the sorted sets to join.
 * ARGV: refId, expected text ('' when there is to be none), next text, createdAt, how many sets to leave.
 */
const replaceScript = `
local found = redis.call('HGET', KEYS[1], ARGV[1])
if (found or '') ~= ARGV[2] then return {0, found} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
local leave = tonumber(ARGV[5])
for i = 2, #KEYS do
  if i <= 1 + leave then redis.call('ZREM', KEYS[i], ARGV[1])
  else redis.call('ZADD', KEYS[i], ARGV[4], ARGV[1]) end
end
return {1, false}
`;

/**
 * Works on ranks in ascending order: [from, to) is what meets the filter, [low, high) what lies between the two
 * places, and the page is its low or high end. A place whose customer is gone is put in, measured and taken out.
 * KEYS: customers, a name for the intersection, one or two sorted sets whose common members are wanted.
 * ARGV: createdFrom, createdBefore, above (score, member), below (score, member), low|high, limit.
 */
const pageScript = `
local key = KEYS[3]
if KEYS[4] then
  key = KEYS[2]
  redis.call('ZINTERSTORE', key, 2, KEYS[3], KEYS[4], 'AGGREGATE', 'MIN')
end
local function rank(score, member)
  local found = redis.call('ZRANK', key, member)
  if found then return found, found + 1 end
  redis.call('ZADD', key, score, member)
  found = redis.call('ZRANK', key, member)
  redis.call('ZREM', key, member)
  return found, found
end
local from = 0
if ARGV[1] ~= '-inf' then from = redis.call('ZCOUNT', key, '-inf', '(' .. ARGV[1]) end
local to = redis.call('ZCARD', key)
if ARGV[2] ~= '+inf' then to = redis.call('ZCOUNT', key, '-inf', '(' .. ARGV[2]) end
local low, high = from, math.max(from, to)
local total = high - low
if ARGV[4] ~= '' then
  local _, past = rank(ARGV[3], ARGV[4])
  low = math.max(low, past)
end
if ARGV[6] ~= '' then
  local at = rank(ARGV[5], ARGV[6])
  high = math.min(high, at)
end
high = math.max(low, high)
local limit = tonumber(ARGV[8])
if ARGV[7] == 'low' then high = math.min(high, low + limit)
else low = math.max(low, high - limit) end
local texts = {}
if high > low then
  texts = redis.call('HMGET', KEYS[1], unpack(redis.call('ZRANGE', key, low, high - 1)))
end
if KEYS[4] then redis.call('DEL', key) end
return {total, low > from and 1 or 0, high < to and 1 or 0, texts}
`;
