/**
 * The steps of making the records again that must happen as one. Whoever does it holds a lease, renewed with every
 * step, and a step without it changes nothing: so two never do it at once, and one that died is followed soon.
 */

/** The outbox goes on after the newest id, so that ids rise although a clock was set back. */
const openOutbox = `
local function openOutbox(outbox, newest)
  if redis.call('EXISTS', outbox) == 1 then return end
  local id = newest ~= '' and newest or '0-1'
  redis.call('XADD', outbox, id, 'opened', '')
  redis.call('XDEL', outbox, id)
end`;

/**
 * KEYS: revisions, the lease, the outbox, every hash. ARGV: a name for the caller, ms of the lease, a life.
 * `open` when the records are in a life; `adopted` when a version that knew of no lives has left them, which get one;
 * `busy` while somebody else is at it; `waiting` while commits wait for the change log; else `begun`.
 */
export const beginScript = `${openOutbox}
local revisions, lease, outbox = unpack(KEYS)
if redis.call('HEXISTS', revisions, '') == 1 then return 'open' end
if redis.call('EXISTS', revisions) == 1 then
  openOutbox(outbox, '')
  for at = 4, #KEYS do redis.call('HSET', KEYS[at], '', '') end
  redis.call('HSET', revisions, '', ARGV[3])
  return 'adopted'
end
local holder = redis.call('GET', lease)
if holder and holder ~= ARGV[1] then return 'busy' end
if redis.call('XLEN', outbox) > 0 then return 'waiting' end
redis.call('SET', lease, ARGV[1], 'PX', ARGV[2])
return 'begun'
`;

const held = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'ended' end
redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

/** KEYS: the lease. ARGV: name, ms. */
export const renewScript = `${held}
return 'held'
`;

/** KEYS: the lease. ARGV: name. */
export const giveUpScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`;

/** KEYS: the lease, keys that are left over. ARGV: name, ms. */
export const clearScript = `${held}
redis.call('UNLINK', unpack(KEYS, 2))
return 'held'
`;

/**
 * KEYS: the lease. ARGV: name, ms, prefix, then for each record kind, key, line, id, indexes, the personal line,
 * personal indexes; an empty personal line is none. Doing it again changes nothing.
 */
export const restoreScript = `${held}
for at = 4, #ARGV, 7 do
  local kind, key, line, id, indexes, personal, personalIndexes = unpack(ARGV, at, at + 6)
  local records = ARGV[3] .. kind
  redis.call('HSET', records, key, line)
  if id ~= '' then redis.call('HSET', records .. ':ids', id, key) end
  if personal ~= '' then redis.call('HSET', records .. ':personal', key, personal) end
  for _, list in ipairs({indexes, personalIndexes}) do
    for _, index in ipairs(cjson.decode(list)) do
      redis.call('ZADD', records .. ':by:' .. index[1], index[2], key)
    end
  end
end
return 'held'
`;

/**
 * KEYS: the lease, revisions, the outbox, every hash. ARGV: name, ms, the records' new life, the newest commit's
 * id, then kind and revision of each.
 */
export const endScript = `${openOutbox}${held}
local lease, revisions, outbox = unpack(KEYS)
openOutbox(outbox, ARGV[4])
for at = 5, #ARGV, 2 do redis.call('HSET', revisions, ARGV[at], ARGV[at + 1]) end
for at = 4, #KEYS do redis.call('HSET', KEYS[at], '', '') end
redis.call('HSET', revisions, '', ARGV[3])
redis.call('DEL', lease)
return 'held'
`;
