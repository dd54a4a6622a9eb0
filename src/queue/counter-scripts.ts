/**
 * Live counters in Redis, and the worker's steps on them that must happen as one.
 *
 * `<prefix><customer>` is a hash: field `<subject key><resource>` → counters, one a line and for each period that is
 * asked about, the one made last at the end: whoever counts knows no periods, and finds them all with one look. A
 * counter is `<flush> <generation> <start> <end> <base> <part> <part> …`: the newest flush that is in it, its
 * subject's generation, its period (epoch ms, or `*` without one), the figure it began with, and what flushes added
 * since. A part, and the base, is `<amount>:<counted>`. Redis adds nothing up: its numbers are not exact. While the
 * first figure is being asked of ClickHouse, the base is `?<token>:<since>`; flushes add their parts all the same.
 *
 * `subjects` is a hash: subject key → `<generation> <text>`, and '' → a random text that changes with the hash.
 * A counter is void when its generation is not its subject's, so deleting the hash gives up all counters at once.
 * `customers` is a sorted set: customer → when its counters were last asked for. Counters of a customer that is not
 * in it are void, and are deleted before it is added again.
 * `counted`, a field of the hash `flush`, is the newest flush up to which everything is stored.
 */
import type { RedisScript } from './redis-script.ts';

/**
 * A counter that nobody reads grows with every flush, and is written out whole each time; at this length, some 40
 * to 80 parts, it is dropped.
 */
const counterBytesMax = 1_024;

/** Flushes may be missing in the counters when Redis has lost its newest writes: then all are given up. */
export const alignScript: RedisScript = {
  name: 'tollgateAlignCounters',
  keyCount: 3,
  lua: `
local epoch, flush, subjects = unpack(KEYS)
local mine, newest = unpack(ARGV)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
local counted = redis.call('HGET', flush, 'counted')
if not counted or tonumber(counted) < tonumber(newest) then
  redis.call('DEL', subjects)
  redis.call('HSET', flush, 'counted', newest)
  counted = newest
end
return {'OK', counted}
`,
};

/** `last` is the flush that the caller counted before this one, empty when it does not know. */
export const advanceScript: RedisScript = {
  name: 'tollgateAdvanceCounters',
  keyCount: 3,
  lua: `
local epoch, flush, subjects = unpack(KEYS)
local mine, flushId, last, known = unpack(ARGV)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
local counted = redis.call('HGET', flush, 'counted')
if counted ~= flushId then
  if last ~= '' and counted ~= last then redis.call('DEL', subjects) end
  redis.call('HSET', flush, 'counted', flushId)
end
local revision = redis.call('HGET', subjects, '')
if revision == known then return {'SAME'} end
local answer = redis.call('HGETALL', subjects)
table.insert(answer, 1, 'OK')
return answer
`,
};

export const countingScript: RedisScript = {
  name: 'tollgateCountingCustomers',
  keyCount: 2,
  lua: `
local epoch, customers = unpack(KEYS)
if redis.call('GET', epoch) ~= ARGV[1] then return {'FENCED'} end
local answer = {'OK'}
for at = 2, #ARGV do
  if redis.call('ZSCORE', customers, ARGV[at]) then answer[#answer + 1] = ARGV[at] end
end
return answer
`,
};

/** Arguments of one change: customer, subject key, generation, resource, effect, and its first and last timestamp. */
const changeWidth = 7;

/**
 * A part that lies in the counter's period is added, and one that lies outside is none of its. An effect that begins
 * with `=` names totals by their periods. A counter that is dropped can be filled anew at once.
 */
export const countScript: RedisScript = {
  name: 'tollgateCount',
  keyCount: 1,
  lua: `
local mine, prefix, flushId = unpack(ARGV)
if redis.call('GET', KEYS[1]) ~= mine then return {'FENCED'} end

local function totalIn(totals, first, last)
  for of, til, total in string.gmatch(totals, '(%S+) (%S+) (%S+)') do
    if of == first and til == last then return total end
  end
end

-- The counter with the flush in it; nil drops it.
local function counted(counter, generation, effect, earliest, latest)
  local flush, made, first, last, rest = string.match(counter, '^(%d+) (%S+) (%S+) (%S+) (.*)$')
  if made ~= generation then return nil end
  if tonumber(flush) >= tonumber(flushId) then return counter end
  local start = first ~= '*' and tonumber(first) or -math.huge
  local stop = last ~= '*' and tonumber(last) or math.huge
  if latest < start or earliest >= stop then return counter end
  local figures = nil
  if string.sub(effect, 1, 1) == '=' then
    figures = totalIn(string.sub(effect, 2), first, last)
  elseif effect ~= '' and earliest >= start and latest < stop and #counter < ${counterBytesMax} then
    figures = rest .. ' ' .. effect
  end
  return figures and table.concat({flushId, made, first, last, figures}, ' ')
end

for at = 4, #ARGV, ${changeWidth} do
  local customer, subject, generation, resource, effect, from, to = unpack(ARGV, at, at + ${changeWidth - 1})
  local key, field = prefix .. customer, subject .. resource
  local counters = redis.call('HGET', key, field)
  if counters then
    local kept = {}
    for counter in string.gmatch(counters, '[^\\n]+') do
      kept[#kept + 1] = counted(counter, generation, effect, tonumber(from), tonumber(to))
    end
    local becomes = table.concat(kept, '\\n')
    if becomes == '' then
      redis.call('HDEL', key, field)
    elseif becomes ~= counters then
      redis.call('HSET', key, field, becomes)
    end
  end
end
return {'OK'}
`,
};

export const forgetScript: RedisScript = {
  name: 'tollgateForgetCounters',
  keyCount: 1,
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'FENCED'} end
for at = 3, #ARGV do redis.call('DEL', ARGV[2] .. ARGV[at]) end
return {'OK'}
`,
};

export const counterLedgerScripts = [
  alignScript,
  advanceScript,
  countingScript,
  countScript,
  forgetScript,
] as const;
