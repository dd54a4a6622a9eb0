import type { Redis } from 'ioredis';
import type { QueueKeys } from './redis-keys.ts';
import { defineScripts, type RedisScript, runScript } from './redis-script.ts';
import { everybody, type TouchedCustomer, type TouchedCustomers } from './touched-customers.ts';

/** Some 100 bytes each. Beyond it who else is touched is not written down, and everybody is looked at. */
const customersMaxDefault = 100_000;

/** A member is some 1 µs of Redis, so it stands still for others some 2 ms at a time. */
const customersPerStep = 2_000;

/** ARGV: the bound, the name of everybody, customers. One mark for all of them. */
const touchScript: RedisScript = {
  name: 'tollgateTouchCustomers',
  keyCount: 2,
  lua: `
local touched, marks = unpack(KEYS)
local mark = redis.call('INCR', marks)
local room = tonumber(ARGV[1]) - redis.call('ZCARD', touched)
for at = 3, #ARGV do
  if redis.call('ZSCORE', touched, ARGV[at]) then
    redis.call('ZADD', touched, mark, ARGV[at])
  elseif room > 0 then
    redis.call('ZADD', touched, mark, ARGV[at])
    room = room - 1
  else
    redis.call('ZADD', touched, mark, ARGV[2])
  end
end
return mark
`,
};

/** ARGV: customer and mark of each. */
const settleScript: RedisScript = {
  name: 'tollgateSettleCustomers',
  keyCount: 1,
  lua: `
for at = 1, #ARGV, 2 do
  local mark = redis.call('ZSCORE', KEYS[1], ARGV[at])
  if mark and tonumber(mark) == tonumber(ARGV[at + 1]) then redis.call('ZREM', KEYS[1], ARGV[at]) end
end
return 1
`,
};

/** A sorted set: customer → the mark of the latest touch. Works on any connection, which stays the caller's. */
export class RedisTouchedCustomers implements TouchedCustomers {
  readonly #redis: Redis;
  readonly #keys: readonly [touched: string, marks: string];
  readonly #customersMax: number;

  constructor(
    redis: Redis,
    { touchedCustomers, touchMarks }: Pick<QueueKeys, 'touchedCustomers' | 'touchMarks'>,
    customersMax = customersMaxDefault,
  ) {
    defineScripts(redis, [touchScript, settleScript]);
    this.#redis = redis;
    this.#keys = [touchedCustomers, touchMarks];
    this.#customersMax = customersMax;
  }

  async touch(customerIds: readonly string[]): Promise<void> {
    for (let at = 0; at < customerIds.length; at += customersPerStep) {
      const some = customerIds.slice(at, at + customersPerStep);
      await runScript(this.#redis, touchScript, [...this.#keys, this.#customersMax, everybody, ...some]);
    }
  }

  async take(limit: number, until: number): Promise<readonly TouchedCustomer[]> {
    const [touched] = this.#keys;
    const found = await this.#redis.zrangebyscore(touched, '-inf', until, 'WITHSCORES', 'LIMIT', 0, limit);
    return found.flatMap((customerId, at) =>
      at % 2 === 0 ? [{ customerId, mark: Number(found[at + 1]) }] : [],
    );
  }

  async newest(): Promise<number> {
    return Number((await this.#redis.get(this.#keys[1])) ?? 0);
  }

  async waiting(): Promise<number> {
    return this.#redis.zcard(this.#keys[0]);
  }

  async settle(looked: readonly TouchedCustomer[]): Promise<void> {
    if (looked.length === 0) return;
    const args = looked.flatMap(({ customerId, mark }) => [customerId, mark]);
    await runScript(this.#redis, settleScript, [this.#keys[0], ...args]);
  }
}
