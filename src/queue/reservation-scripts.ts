/**
 * Reservations in Redis. `records` is a hash: id → text (`encodeReservation`: the place, a line break, JSON).
 * `<prefix><place>` is a hash with what counts against limits: id → hold. `active` is a sorted set: id → when it
 * expires; `ended`: id → when it ended. Who reads looks at times, so an expired one that is still there counts for
 * nobody.
 */
import { reservationLimits } from '../metering/reservation.ts';
import type { RedisScript } from './redis-script.ts';

/** Arguments of one change: place, id, record, hold (empty when it has ended), and when it expires or has ended. */
export const reservationWidth = 5;

/** A step puts aside more than it may add, so what waits for that does not grow. */
const asidePerStep = 500;

export const applyReservationsScript: RedisScript = {
  name: 'tollgateApplyReservations',
  keyCount: 4,
  lua: `
local epoch, records, active, ended = unpack(KEYS)
local mine, prefix, now = unpack(ARGV)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
for at = 4, #ARGV, ${reservationWidth} do
  local place, id, record, hold, when = unpack(ARGV, at, at + ${reservationWidth - 1})
  redis.call('HSET', records, id, record)
  if hold ~= '' then
    redis.call('HSET', prefix .. place, id, hold)
    redis.call('ZADD', active, when, id)
    redis.call('ZREM', ended, id)
  else
    redis.call('ZADD', ended, when, id)
    redis.call('ZREM', active, id)
    redis.call('HDEL', prefix .. place, id)
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', active, '-inf', now, 'LIMIT', 0, ${asidePerStep})) do
  local place = string.match(redis.call('HGET', records, id) or '', '^[^\\n]*')
  redis.call('ZADD', ended, redis.call('ZSCORE', active, id), id)
  redis.call('ZREM', active, id)
  redis.call('HDEL', prefix .. place, id)
end
local past = redis.call('ZCOUNT', ended, '-inf', now - ${reservationLimits.endedMs})
local surplus = redis.call('ZCARD', ended) - ${reservationLimits.endedMax}
local forgotten = math.min(math.max(past, surplus), ${2 * asidePerStep})
if forgotten > 0 then
  for _, id in ipairs(redis.call('ZRANGE', ended, 0, forgotten - 1)) do
    redis.call('HDEL', records, id)
    redis.call('ZREM', ended, id)
  end
end
return {'OK'}
`,
};

/** ARGV: prefix, places. Answers for each its ids and holds in turn; nothing at all while nobody holds anything. */
export const readHoldsScript: RedisScript = {
  name: 'tollgateReadHolds',
  keyCount: 1,
  lua: `
local answer = {}
if redis.call('ZCARD', KEYS[1]) == 0 then return answer end
for at = 2, #ARGV do answer[#answer + 1] = redis.call('HGETALL', ARGV[1] .. ARGV[at]) end
return answer
`,
};
