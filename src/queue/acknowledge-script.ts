/** A flush of usage in one step: begun, in the live counters and the reservations, and its reporters told. */
import { changeWidth, countLua } from './counter-scripts.ts';
import { beginLua } from './queue-scripts.ts';
import type { RedisScript } from './redis-script.ts';
import { reserveLua } from './reservation-scripts.ts';

/**
 * ARGV: the epoch; flush id, token, batch ids and manifest; the flush counted last and the revision of the subjects as
 * the caller knows them; the prefixes of counters and holds, the time, how many replies and changes of counters follow;
 * channel and message of each reply; the changes of counters; those of reservations. Answers `SUBJECTS` and the
 * subjects when they are others: then the caller comes again, and what it finds done is done again, which changes nothing.
 */
export const acknowledgeScript: RedisScript = {
  name: 'tollgateAcknowledge',
  keyCount: 8,
  lua: `${beginLua}${countLua}${reserveLua}
local epoch, flush, manifests, pending, subjects, records, active, ended = unpack(KEYS)
local mine, flushId, token, batchIds, manifest, last, known = unpack(ARGV, 1, 7)
local counterPrefix, reservedPrefix, now, replies, changes = unpack(ARGV, 8, 12)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
local refused = refusal(flush, manifests, pending, flushId, token, batchIds)
if refused then return refused end
local counted = redis.call('HGET', flush, 'counted')
if last ~= '' and counted ~= last and counted ~= flushId then redis.call('DEL', subjects) end
if (redis.call('HGET', subjects, '') or '') ~= known then
  local answer = redis.call('HGETALL', subjects)
  table.insert(answer, 1, 'SUBJECTS')
  return answer
end
redis.call('HSET', manifests, flushId, manifest)
redis.call('HSET', flush, 'begun', flushId, 'told', flushId, 'counted', flushId)
local at = 13 + 2 * replies
for change = at, at + ${changeWidth} * (changes - 1), ${changeWidth} do
  count(counterPrefix, flushId, unpack(ARGV, change, change + ${changeWidth - 1}))
end
at = at + ${changeWidth} * changes
if at <= #ARGV then reserve(records, active, ended, reservedPrefix, now, at, #ARGV) end
for reply = 13, 12 + 2 * replies, 2 do redis.call('PUBLISH', ARGV[reply], ARGV[reply + 1]) end
return {'OK'}
`,
};
