/**
 * Live counters in Redis, and the steps on them that must happen as one.
 *
 * `<prefix><customer>` is a hash: field `<subject key><resource>` → counter. A counter is a line
 * `<flush> <generation> <start> <end> <base> <part> <part> …`: the newest flush that is in it, its subject's
 * generation, its period (epoch ms, or `*` without one), the figure it began with, and what flushes added since. A
 * part, and the base, is `<amount>:<counted>`. Redis adds nothing up: its numbers are not exact. While the first
 * figure is being asked of ClickHouse, the base is `?<token>:<since>`; flushes add their parts all the same.
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

/** How long a counter that is being filled is left to whoever fills it. */
const fillMsMax = 10_000;

/** Customers' times of asking are kept this exactly, so that most questions write nothing. */
const touchMs = 60_000;

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
for at = 4, #ARGV, ${changeWidth} do
  local customer, subject, generation, resource, effect, from, to = unpack(ARGV, at, at + ${changeWidth - 1})
  local key, field = prefix .. customer, subject .. resource
  local counter = redis.call('HGET', key, field)
  if counter then
    local flush, made, first, last, rest = string.match(counter, '^(%d+) (%S+) (%S+) (%S+) (.*)$')
    if made ~= generation then
      redis.call('HDEL', key, field)
    elseif tonumber(flush) < tonumber(flushId) then
      local start = first ~= '*' and tonumber(first) or -math.huge
      local stop = last ~= '*' and tonumber(last) or math.huge
      local earliest, latest = tonumber(from), tonumber(to)
      if latest >= start and earliest < stop then
        local changed = nil
        if string.sub(effect, 1, 1) == '=' then
          for of, til, total in string.gmatch(string.sub(effect, 2), '(%S+) (%S+) (%S+)') do
            if of == first and til == last then changed = total end
          end
        elseif effect ~= '' and earliest >= start and latest < stop and #counter < ${counterBytesMax} then
          changed = rest .. ' ' .. effect
        end
        if changed then
          redis.call('HSET', key, field, table.concat({flushId, made, first, last, changed}, ' '))
        else
          redis.call('HDEL', key, field)
        end
      end
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

/** ARGV: prefix, now; then customer, subject key and resource of each. Answers counters, '' for what there is not. */
export const readCountersScript: RedisScript = {
  name: 'tollgateReadCounters',
  keyCount: 2,
  lua: `
local subjects, customers = unpack(KEYS)
local prefix, now = unpack(ARGV)
local generations, answer = {}, {}
for at = 3, #ARGV, 3 do
  local customer, subject, resource = unpack(ARGV, at, at + 2)
  local generation = generations[subject]
  if not generation then
    generation = string.match(redis.call('HGET', subjects, subject) or '', '^%S*')
    generations[subject] = generation
  end
  local askedAt = redis.call('ZSCORE', customers, customer)
  local counter = askedAt and redis.call('HGET', prefix .. customer, subject .. resource)
  if counter and string.match(counter, '^%d+ (%S+)') == generation then
    if tonumber(now) - tonumber(askedAt) > ${touchMs} then redis.call('ZADD', customers, now, customer) end
    answer[#answer + 1] = counter
  else
    answer[#answer + 1] = ''
  end
end
return answer
`,
};

/** How many arguments of the script describe one counter. */
export const reserveWidth = 6;

/**
 * Makes counters that are to be filled, as of the flush that is answered first ('' when nobody has counted yet: then
 * nothing is made). ARGV: prefix, now, token, the generation and revision of subjects that are new here, the bounds
 * of customers, subjects, and counters of a customer; then for each customer, subject key, its text, resource,
 * start, end. Answers for each `reserved`; `busy` when it cannot be made now, and the token after it of whoever is
 * filling it; or the counter that somebody else has made. Its token is the token, a dash and its number, from 1. At
 * the bound of customers, counters of the customer that was asked for longest ago go.
 */
export const reserveScript: RedisScript = {
  name: 'tollgateReserveCounters',
  keyCount: 3,
  lua: `
local flush, subjects, customers = unpack(KEYS)
local prefix, now, token, freshGeneration, freshRevision, customersMax, subjectsMax, countersMax = unpack(ARGV)
local counted = redis.call('HGET', flush, 'counted')
if not counted then return {''} end

local function generationOf(subject, text)
  local entry = redis.call('HGET', subjects, subject)
  if entry then return string.match(entry, '^%S+') end
  if redis.call('HLEN', subjects) >= tonumber(subjectsMax) then return nil end
  redis.call('HSET', subjects, subject, freshGeneration .. ' ' .. text, '', freshRevision)
  return freshGeneration
end

local function admit(customer)
  if redis.call('ZSCORE', customers, customer) then return end
  if redis.call('ZCARD', customers) >= tonumber(customersMax) then
    local oldest = redis.call('ZPOPMIN', customers)
    redis.call('DEL', prefix .. oldest[1])
  end
  redis.call('DEL', prefix .. customer)
  redis.call('ZADD', customers, now, customer)
end

local function reserve(number, customer, subject, text, resource, start, stop)
  local generation = generationOf(subject, text)
  if not generation then return 'busy' end
  admit(customer)
  local key, field = prefix .. customer, subject .. resource
  local counter = redis.call('HGET', key, field)
  if counter then
    local made, first, last, base = string.match(counter, '^%d+ (%S+) (%S+) (%S+) (%S+)')
    if made == generation and first == start and last == stop then
      local holder, since = string.match(base, '^%?([^:]*):(%d+)$')
      if not since then return counter end
      if tonumber(now) - tonumber(since) < ${fillMsMax} then return 'busy ' .. holder end
    end
  elseif redis.call('HLEN', key) >= tonumber(countersMax) then
    return 'busy'
  end
  local base = '?' .. token .. '-' .. number .. ':' .. now
  redis.call('HSET', key, field, table.concat({counted, generation, start, stop, base}, ' '))
  return 'reserved'
end

local answer = {counted}
for at = 9, #ARGV, ${reserveWidth} do
  answer[#answer + 1] = reserve(string.format('%d', #answer), unpack(ARGV, at, at + ${reserveWidth - 1}))
end
return answer
`,
};

/** ARGV: field, token, base. Answers the filled counter, or '' when it is not the caller's any more. */
export const fillScript: RedisScript = {
  name: 'tollgateFillCounter',
  keyCount: 1,
  lua: `
local field, token, base = unpack(ARGV)
local counter = redis.call('HGET', KEYS[1], field)
if not counter then return '' end
local head, reserved, parts = string.match(counter, '^(%d+ %S+ %S+ %S+) %?([^: ]*):%d+(.*)$')
if reserved ~= token then return '' end
local filled = head .. ' ' .. base .. parts
redis.call('HSET', KEYS[1], field, filled)
return filled
`,
};

/** ARGV: field, the counter as it was read, and with its parts added up. */
export const compactScript: RedisScript = {
  name: 'tollgateCompactCounter',
  keyCount: 1,
  lua: `
local field, read, compact = unpack(ARGV)
if redis.call('HGET', KEYS[1], field) == read then redis.call('HSET', KEYS[1], field, compact) end
return 1
`,
};

/**
 * A counter, and the flush up to which everything is in it: nothing while a flush may be between being stored and
 * being counted, or where there is none. ARGV: customer, subject key, resource.
 */
export const inspectScript: RedisScript = {
  name: 'tollgateInspectCounters',
  keyCount: 5,
  lua: `
local flush, manifest, subjects, customers, counters = unpack(KEYS)
local counted = redis.call('HGET', flush, 'counted')
local done = tonumber(redis.call('HGET', flush, 'done') or 0)
local customer, subject, resource = unpack(ARGV)
if not counted or not redis.call('ZSCORE', customers, customer) then return {} end
if done < tonumber(counted) and redis.call('EXISTS', manifest) == 1 then return {} end
local counter = redis.call('HGET', counters, subject .. resource)
local generation = string.match(redis.call('HGET', subjects, subject) or '', '^%S*')
if not counter or string.match(counter, '^%d+ (%S+)') ~= generation then return {} end
return {counted, counter}
`,
};

/** Gives up the counters that nobody has asked for since then, some at a time; answers how many customers' it were. */
export const expireScript: RedisScript = {
  name: 'tollgateExpireCounters',
  keyCount: 1,
  lua: `
local prefix, before, limit = unpack(ARGV)
local idle = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. before, 'LIMIT', 0, limit)
for _, customer in ipairs(idle) do
  redis.call('DEL', prefix .. customer)
  redis.call('ZREM', KEYS[1], customer)
end
return #idle
`,
};

/** Gives up a subject of this generation, and with it all its counters. ARGV: subject key, generation, a new revision. */
export const retireScript: RedisScript = {
  name: 'tollgateRetireSubject',
  keyCount: 1,
  lua: `
local subject, generation, revision = unpack(ARGV)
local entry = redis.call('HGET', KEYS[1], subject)
if entry and string.match(entry, '^%S+') == generation then
  redis.call('HDEL', KEYS[1], subject)
  redis.call('HSET', KEYS[1], '', revision)
end
return 1
`,
};

export const counterLedgerScripts = [
  alignScript,
  advanceScript,
  countingScript,
  countScript,
  forgetScript,
] as const;

export const counterScripts = [
  readCountersScript,
  reserveScript,
  fillScript,
  compactScript,
  inspectScript,
  expireScript,
  retireScript,
] as const;
