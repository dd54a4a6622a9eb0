/**
 * The steps of the queue that must happen as one. Redis runs a script alone, and writes all of its effects to
 * its log or none. Each is safe to run twice, because the answer to the first time may have been lost.
 *
 * A batch's payload key is also the claim on its id: it exists, with content while the batch is in flight and
 * empty for a minute after, so that an enqueue that is sent again late finds it and takes nothing.
 * A script that fails half-way keeps what it did, so the writes that a full memory refuses come before removals.
 * Keys of single batches are built from a prefix: they carry the namespace's braces, so they are in one slot.
 */
import type { RedisScript } from './redis-script.ts';

/** How long an id is remembered after its batch has left; longer than any enqueue may be on its way. */
export const claimMs = 60_000;

/**
 * Takes a batch: `queued`, or `full` at the backlog's bound, or `late` when Redis came to read it only after
 * the producer had given up. Also answers Redis' clock, which the deadline is measured on.
 * Dead letters count towards the bound, so that they cannot grow without end either. A fifth of the memory that
 * Redis may take is left to the worker: in a Redis that is full nothing can be delivered or booked any more, and so
 * nothing would ever get out of it.
 */
export const acceptScript: RedisScript = {
  name: 'tollgateAccept',
  keyCount: 4,
  lua: `
local payloadKey, pending, dead, books = unpack(KEYS)
local id, payload, entry, count, bytes, bytesMax, batchesMax, deadline = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', payloadKey) == 1 then return {'queued', now} end
if now > tonumber(deadline) then return {'late', now} end
local backlogBytes = tonumber(redis.call('HGET', books, 'backlogBytes') or 0)
local backlogBatches = redis.call('HLEN', pending) + redis.call('HLEN', dead)
if backlogBatches >= tonumber(batchesMax) or backlogBytes + bytes > tonumber(bytesMax) then
  return {'full', now}
end
local memory = redis.pcall('INFO', 'memory')
if type(memory) == 'string' then
  local memoryMax = tonumber(string.match(memory, '[\\r\\n]maxmemory:(%d+)') or 0)
  local used = tonumber(string.match(memory, '[\\r\\n]used_memory:(%d+)') or 0)
  if memoryMax > 0 and used + bytes > memoryMax * 0.8 then return {'full', now} end
end
redis.call('SET', payloadKey, payload)
redis.call('HSET', pending, id, entry)
redis.call('HINCRBY', books, 'accepted', count)
redis.call('HINCRBY', books, 'backlogBytes', bytes)
return {'queued', now}
`,
};

/** Takes a batch back, or sees to it that it cannot arrive any more. 0 when a flush has it already. */
export const withdrawScript: RedisScript = {
  name: 'tollgateWithdraw',
  keyCount: 4,
  lua: `
local payloadKey, pending, books, manifest = unpack(KEYS)
local id, claimMs = unpack(ARGV)
local entry = redis.call('HGET', pending, id)
if not entry then
  redis.call('SET', payloadKey, '', 'NX', 'PX', claimMs)
  return 0
end
local begun = redis.call('HGET', manifest, 'batchIds')
if begun and string.find(begun, id, 1, true) then return 0 end
local count, bytes = string.match(entry, '^(%d+) (%d+)')
redis.call('HINCRBY', books, 'accepted', -count)
redis.call('HINCRBY', books, 'backlogBytes', -bytes)
redis.call('HDEL', pending, id)
redis.call('SET', payloadKey, '', 'PX', claimMs)
return 1
`,
};

/**
 * Takes the lease when nobody has it, and raises the epoch: from here on every write of an earlier owner fails.
 * The epoch carries the owner's random name too, so that it stays unique when Redis has lost its newest writes.
 * A Redis without an epoch was emptied, or is new, which the epoch then tells, too, should the script run twice. What
 * of the queue has outlived that is what the books begin with: accepted and, but for dead letters, in flight; what had
 * ended is forgotten.
 */
export const acquireScript: RedisScript = {
  name: 'tollgateAcquire',
  keyCount: 5,
  lua: `
local lease, epoch, pending, dead, books = unpack(KEYS)
local owner, leaseMs = unpack(ARGV)
local holder = redis.call('GET', lease)
if holder and holder ~= owner then return false end
redis.call('SET', lease, owner, 'PX', leaseMs)
local former = redis.call('GET', epoch)
local last = string.match(former or '', '^%d+') or 0
local isFirst = not former or string.match(former, '^%d+:(.*)$') == owner .. ':first'
local mine = string.format('%d:%s%s', last + 1, owner, isFirst and ':first' or '')
redis.call('SET', epoch, mine)
if former then return mine end
local function sum(entries)
  local events, bytes = 0, 0
  for _, entry in ipairs(entries) do
    local count, size = string.match(entry, '^(%d+) (%d+)')
    events = events + count
    bytes = bytes + size
  end
  return events, bytes
end
local inFlight, inFlightBytes = sum(redis.call('HVALS', pending))
local buried, buriedBytes = sum(redis.call('HVALS', dead))
redis.call('DEL', books)
if inFlight + buried > 0 then
  redis.call('HSET', books, 'accepted', string.format('%d', inFlight + buried),
    'deadLettered', string.format('%d', buried),
    'backlogBytes', string.format('%d', inFlightBytes + buriedBytes))
end
return mine
`,
};

/** OK while the epoch is still the caller's: then nobody took over, even if the lease ran out meanwhile. */
export const renewScript: RedisScript = {
  name: 'tollgateRenew',
  keyCount: 2,
  lua: `
local lease, epoch = unpack(KEYS)
local mine, owner, leaseMs = unpack(ARGV)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
redis.call('SET', lease, owner, 'PX', leaseMs)
return {'OK'}
`,
};

export const releaseScript: RedisScript = {
  name: 'tollgateRelease',
  keyCount: 1,
  lua: `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`,
};

/** Writes what a flush will do. Flush ids only rise, and only one flush is in hand. */
export const beginScript: RedisScript = {
  name: 'tollgateBegin',
  keyCount: 4,
  lua: `
local epoch, flush, manifest, pending = unpack(KEYS)
local mine, flushId, token, batchIds, decisions, decidedAt, terms, reservations = unpack(ARGV)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
local current = redis.call('HGET', manifest, 'token')
if current == token then return {'OK'} end
if current then return {'UNFINISHED'} end
if tonumber(flushId) <= tonumber(redis.call('HGET', flush, 'begun') or 0) then return {'STALE'} end
local gone = {'GONE'}
for id in string.gmatch(batchIds, '[^,]+') do
  if redis.call('HEXISTS', pending, id) == 0 then gone[#gone + 1] = id end
end
if #gone > 1 then return gone end
redis.call('HSET', manifest, 'flushId', flushId, 'token', token, 'batchIds', batchIds,
  'decisions', decisions, 'decidedAt', decidedAt, 'terms', terms, 'reservations', reservations)
redis.call('HSET', flush, 'begun', flushId)
return {'OK'}
`,
};

/** Books a flush: its batches leave the flight and their counts arrive where they ended, in the same step. */
export const finishScript: RedisScript = {
  name: 'tollgateFinish',
  keyCount: 6,
  lua: `
local epoch, flush, manifest, pending, books, notCounted = unpack(KEYS)
local mine, flushId, payloadPrefix, claimMs = unpack(ARGV)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
if tonumber(redis.call('HGET', flush, 'done') or 0) >= tonumber(flushId) then return {'OK'} end
if redis.call('HGET', manifest, 'flushId') ~= flushId then return {'UNKNOWN'} end
local ends = {'stored', 'duplicate', 'conflict', 'refused', 'deadLettered'}
for place, name in ipairs(ends) do redis.call('HINCRBY', books, name, ARGV[4 + place]) end
for i = 4 + #ends + 1, #ARGV, 2 do redis.call('HINCRBY', notCounted, ARGV[i], ARGV[i + 1]) end
for id in string.gmatch(redis.call('HGET', manifest, 'batchIds'), '[^,]+') do
  local entry = redis.call('HGET', pending, id)
  if entry then
    local bytes = string.match(entry, '^%d+ (%d+)')
    redis.call('HINCRBY', books, 'backlogBytes', -bytes)
    redis.call('HDEL', pending, id)
    redis.call('SET', payloadPrefix .. id, '', 'PX', claimMs)
  end
end
redis.call('HSET', flush, 'done', flushId)
redis.call('DEL', manifest)
return {'OK'}
`,
};

/**
 * Sets batches aside with their content. A flush in hand that names one of them is given up in the same step:
 * its other batches are pending as before and are decided anew.
 */
export const buryScript: RedisScript = {
  name: 'tollgateBury',
  keyCount: 5,
  lua: `
local epoch, pending, dead, books, manifest = unpack(KEYS)
local mine, payloadPrefix, deadPayloadPrefix, claimMs, failedAt, reason = unpack(ARGV)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
local begun = redis.call('HGET', manifest, 'batchIds')
for i = 7, #ARGV do
  local id = ARGV[i]
  local entry = redis.call('HGET', pending, id)
  if entry then
    redis.call('HSET', dead, id, entry .. '\\n' .. failedAt .. '\\n' .. reason)
    redis.call('HINCRBY', books, 'deadLettered', string.match(entry, '^%d+'))
    if redis.call('EXISTS', payloadPrefix .. id) == 1 then
      redis.call('RENAME', payloadPrefix .. id, deadPayloadPrefix .. id)
    end
    redis.call('SET', payloadPrefix .. id, '', 'PX', claimMs)
    redis.call('HDEL', pending, id)
    if begun and string.find(begun, id, 1, true) then redis.call('DEL', manifest) end
  end
end
return {'OK'}
`,
};

/**
 * Gives a manifest up of which batches are neither pending nor have a content that would make them so. Only a Redis
 * that lost keys has one: whatever else takes a batch away takes the manifest with it.
 */
export const abandonScript: RedisScript = {
  name: 'tollgateAbandon',
  keyCount: 2,
  lua: `
local epoch, manifest = unpack(KEYS)
local mine, token = unpack(ARGV)
if redis.call('GET', epoch) ~= mine then return {'FENCED'} end
if redis.call('HGET', manifest, 'token') == token then redis.call('DEL', manifest) end
return {'OK'}
`,
};

/**
 * Enters a batch anew whose entry Redis has lost, while its content and its job are there. 0 when there is no content:
 * the batch has left. Nobody is told of it, since nobody knows any more who waits.
 */
export const reenterScript: RedisScript = {
  name: 'tollgateReenter',
  keyCount: 3,
  lua: `
local payloadKey, pending, books = unpack(KEYS)
local id, kind, count, contentBytes, sealedAt = unpack(ARGV)
local bytes = redis.call('STRLEN', payloadKey)
if bytes == 0 then return 0 end
if redis.call('HEXISTS', pending, id) == 1 then return 1 end
redis.call('HSET', pending, id, table.concat({count, bytes, contentBytes, kind, sealedAt, ''}, ' '))
redis.call('HINCRBY', books, 'accepted', count)
redis.call('HINCRBY', books, 'backlogBytes', bytes)
return 1
`,
};

/** Puts a dead letter back into the flight; answers its entry line, or false when there is none. */
export const replayScript: RedisScript = {
  name: 'tollgateReplay',
  keyCount: 5,
  lua: `
local pending, dead, books, payloadKey, deadPayloadKey = unpack(KEYS)
local id = ARGV[1]
local letter = redis.call('HGET', dead, id)
if not letter or redis.call('EXISTS', deadPayloadKey) == 0 then return false end
local entry = string.match(letter, '^[^\\n]*')
redis.call('HINCRBY', books, 'deadLettered', -string.match(entry, '^%d+'))
redis.call('HSET', pending, id, entry)
redis.call('RENAME', deadPayloadKey, payloadKey)
redis.call('HDEL', dead, id)
return entry
`,
};

/**
 * The books at one moment. What is in flight is counted from the batches themselves and not by subtraction, so
 * that accepted = the sum of the rest is a check of the system and not a definition.
 */
export const booksScript: RedisScript = {
  name: 'tollgateBooks',
  keyCount: 2,
  lua: `
local pending, books = unpack(KEYS)
local inFlight, bytes = 0, 0
local entries = redis.call('HVALS', pending)
for _, entry in ipairs(entries) do
  local count, size = string.match(entry, '^(%d+) (%d+)')
  inFlight = inFlight + count
  bytes = bytes + size
end
local counters = redis.call('HMGET', books, 'accepted', 'stored', 'duplicate', 'conflict', 'refused',
  'deadLettered')
local answer = {inFlight, #entries, bytes}
for i = 1, 6 do answer[3 + i] = tonumber(counters[i] or 0) end
return answer
`,
};

export const queueScripts = [
  acceptScript,
  withdrawScript,
  acquireScript,
  renewScript,
  releaseScript,
  beginScript,
  finishScript,
  buryScript,
  abandonScript,
  reenterScript,
  replayScript,
  booksScript,
] as const;
