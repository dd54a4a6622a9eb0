/** The steps of those who ask for live counters, and of their reconciler; see `counter-scripts.ts` for what is kept. */
import type { RedisScript } from './redis-script.ts';

/** How long a counter that is being filled is left to whoever fills it. */
const fillMsMax = 10_000;

/** Customers' times of asking are kept this exactly, so that most questions write nothing. */
const touchMs = 60_000;

/** The one of the period among a field's counters; nil where there is none, or a void one. */
const counterInLua = `
local function counterIn(counters, generation, start, stop)
  for counter in string.gmatch(counters, '[^\\n]+') do
    local made, first, last = string.match(counter, '^%d+ (%S+) (%S+) (%S+)')
    if first == start and last == stop then return made == generation and counter or nil end
  end
end
`;

/** How many arguments name one counter: customer, subject key, resource, start, end. */
const placeWidth = 5;

/** ARGV: prefix, now; then the name of each counter. Answers counters, '' for what there is not. */
export const readCountersScript: RedisScript = {
  name: 'tollgateReadCounters',
  keyCount: 2,
  lua: `${counterInLua}
local subjects, customers = unpack(KEYS)
local prefix, now = unpack(ARGV)
local generations, answer = {}, {}
for at = 3, #ARGV, ${placeWidth} do
  local customer, subject, resource, start, stop = unpack(ARGV, at, at + ${placeWidth - 1})
  local generation = generations[subject]
  if not generation then
    generation = string.match(redis.call('HGET', subjects, subject) or '', '^%S*')
    generations[subject] = generation
  end
  local askedAt = redis.call('ZSCORE', customers, customer)
  local counters = askedAt and redis.call('HGET', prefix .. customer, subject .. resource)
  local counter = counters and counterIn(counters, generation, start, stop)
  if counter then
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
const reserveWidth = 6;

/**
 * Makes counters that are to be filled, as of the flush that is answered first ('' when nobody has counted yet: then
 * nothing is made). ARGV: prefix, now, token, the generation and revision of subjects that are new here, the bounds
 * of customers, subjects, fields of a customer, and periods of a field; then for each customer, subject key, its
 * text, resource, start, end. Answers for each `reserved`; `busy` when it cannot be made now, and the token after it
 * of whoever is filling it; or the counter that somebody else has made. Its token is the token, a dash and its number,
 * from 1. At the bound of customers, counters of the customer that was asked for longest ago go; at that of periods,
 * the counter of one that has ended, or else the one made first.
 */
export const reserveScript: RedisScript = {
  name: 'tollgateReserveCounters',
  keyCount: 3,
  lua: `
local flush, subjects, customers = unpack(KEYS)
local prefix, now, token, freshGeneration, freshRevision, customersMax, subjectsMax, countersMax, periodsMax =
  unpack(ARGV)
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

local function makeRoom(counters)
  if #counters < tonumber(periodsMax) then return end
  local leaving = 1
  for at, counter in ipairs(counters) do
    local stop = tonumber((string.match(counter, '^%d+ %S+ %S+ (%S+)')))
    if stop and stop <= tonumber(now) then
      leaving = at
      break
    end
  end
  table.remove(counters, leaving)
end

local function reserve(number, customer, subject, text, resource, start, stop)
  local generation = generationOf(subject, text)
  if not generation then return 'busy' end
  admit(customer)
  local key, field = prefix .. customer, subject .. resource
  local counters = redis.call('HGET', key, field)
  if not counters and redis.call('HLEN', key) >= tonumber(countersMax) then return 'busy' end
  local others = {}
  for counter in string.gmatch(counters or '', '[^\\n]+') do
    local made, first, last, base = string.match(counter, '^%d+ (%S+) (%S+) (%S+) (%S+)')
    if made == generation and first == start and last == stop then
      local holder, since = string.match(base, '^%?([^:]*):(%d+)$')
      if not since then return counter end
      if tonumber(now) - tonumber(since) < ${fillMsMax} then return 'busy ' .. holder end
    elseif made == generation then
      others[#others + 1] = counter
    end
  end
  makeRoom(others)
  local base = '?' .. token .. '-' .. number .. ':' .. now
  others[#others + 1] = table.concat({counted, generation, start, stop, base}, ' ')
  redis.call('HSET', key, field, table.concat(others, '\\n'))
  return 'reserved'
end

local answer = {counted}
for at = 10, #ARGV, ${reserveWidth} do
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
local counters, filled = {}, ''
for counter in string.gmatch(redis.call('HGET', KEYS[1], field) or '', '[^\\n]+') do
  local head, reserved, parts = string.match(counter, '^(%d+ %S+ %S+ %S+) %?([^: ]*):%d+(.*)$')
  if reserved == token then
    filled = head .. ' ' .. base .. parts
    counter = filled
  end
  counters[#counters + 1] = counter
end
if filled ~= '' then redis.call('HSET', KEYS[1], field, table.concat(counters, '\\n')) end
return filled
`,
};

/** ARGV: field, the counter as it was read, and with its parts added up. */
export const compactScript: RedisScript = {
  name: 'tollgateCompactCounter',
  keyCount: 1,
  lua: `
local field, read, compact = unpack(ARGV)
local counters, found = {}, false
for counter in string.gmatch(redis.call('HGET', KEYS[1], field) or '', '[^\\n]+') do
  found = found or counter == read
  counters[#counters + 1] = counter == read and compact or counter
end
if found then redis.call('HSET', KEYS[1], field, table.concat(counters, '\\n')) end
return 1
`,
};

/** Gives up one counter. ARGV: field, start, end. */
export const dropScript: RedisScript = {
  name: 'tollgateDropCounter',
  keyCount: 1,
  lua: `
local field, start, stop = unpack(ARGV)
local others = {}
for counter in string.gmatch(redis.call('HGET', KEYS[1], field) or '', '[^\\n]+') do
  local first, last = string.match(counter, '^%d+ %S+ (%S+) (%S+)')
  if first ~= start or last ~= stop then others[#others + 1] = counter end
end
if #others == 0 then
  redis.call('HDEL', KEYS[1], field)
else
  redis.call('HSET', KEYS[1], field, table.concat(others, '\\n'))
end
return 1
`,
};

/**
 * A counter, and the flush up to which everything is in it: nothing while a flush may be between being stored and
 * being counted, or where there is none. ARGV: the name of the counter.
 */
export const inspectScript: RedisScript = {
  name: 'tollgateInspectCounters',
  keyCount: 5,
  lua: `${counterInLua}
local flush, manifest, subjects, customers, key = unpack(KEYS)
local counted = redis.call('HGET', flush, 'counted')
local done = tonumber(redis.call('HGET', flush, 'done') or 0)
local customer, subject, resource, start, stop = unpack(ARGV)
if not counted or not redis.call('ZSCORE', customers, customer) then return {} end
if done < tonumber(counted) and redis.call('EXISTS', manifest) == 1 then return {} end
local generation = string.match(redis.call('HGET', subjects, subject) or '', '^%S*')
local counter = counterIn(redis.call('HGET', key, subject .. resource) or '', generation, start, stop)
if not counter then return {} end
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

export const counterReaderScripts = [
  readCountersScript,
  reserveScript,
  fillScript,
  compactScript,
  dropScript,
  inspectScript,
  expireScript,
  retireScript,
] as const;
