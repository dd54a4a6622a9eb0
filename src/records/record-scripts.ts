/**
 * The steps on records that must happen as one; Redis runs a script alone.
 *
 * `<prefix><kind>` is a hash: key → the record's line, `version LF commit LF id LF indexes LF body`, where the body
 * is JSON without its personal fields and the indexes are JSON pairs of name and score. `<prefix><kind>:personal`
 * is a hash: key → `indexes LF fields`, both JSON. `<prefix><kind>:ids` is a hash: id → key, and
 * `<prefix><kind>:by:<name>` an index's sorted set. All carry the namespace's braces, so all are in one slot.
 */

/** How many arguments of the commit script describe one write. */
export const writeWidth = 9;

/**
 * KEYS: the outbox, revisions, the mark of a restore, letters.
 * ARGV: prefix, commit id, audit, the outbox' bound, the letters' bound, how many writes, how many letters; for each
 * write kind, key, expected version, bound of the kind, id, indexes, body, personal indexes, personal fields; for
 * each letter customer, id, text; then for each record that is to be unchanged kind, key, expected version. An empty
 * body deletes, empty fields are none, an empty text erases the customer's letter.
 * Everything is checked before anything is written, and the outbox comes first: it is the write that a full
 * memory refuses.
 */
export const commitScript = `
local outbox, revisions, restoring, letters = unpack(KEYS)
local prefix, commit, audit, entriesMax, lettersMax, writes, letterCount = unpack(ARGV)
local writesEnd = 7 + writes * ${writeWidth}
local lettersEnd = writesEnd + letterCount * 3
local function line(kind, key)
  local text = redis.call('HGET', prefix .. kind, key)
  if not text then return '0', '', '', '[]', '' end
  return string.match(text, '^(%d+)\\n([^\\n]*)\\n([^\\n]*)\\n([^\\n]*)\\n(.*)$')
end
local created, conflict = {}, false
for at = 8, writesEnd, ${writeWidth} do
  local kind, expected, recordsMax = ARGV[at], ARGV[at + 2], ARGV[at + 3]
  local version, last = line(kind, ARGV[at + 1])
  if last == commit then return 'committed' end
  if version ~= expected then conflict = true end
  if version == '0' and recordsMax ~= '' then
    created[kind] = (created[kind] or 0) + 1
    if redis.call('HLEN', prefix .. kind) + created[kind] > tonumber(recordsMax) then
      created.full = true
    end
  end
end
for at = lettersEnd + 1, #ARGV, 3 do
  if line(ARGV[at], ARGV[at + 1]) ~= ARGV[at + 2] then return 'conflict' end
end
if conflict then return 'conflict' end
if created.full then return 'full' end
if redis.call('EXISTS', restoring) == 1 then return 'restoring' end
if redis.call('XLEN', outbox) >= tonumber(entriesMax) then return 'outbox-full' end
local waiting = redis.call('HLEN', letters)
for at = writesEnd + 1, lettersEnd, 3 do
  if ARGV[at + 2] ~= '' and redis.call('HEXISTS', letters, ARGV[at]) == 0 then waiting = waiting + 1 end
  if waiting > tonumber(lettersMax) then return 'letters-full' end
end

local entry = {'commit', commit, 'audit', audit}
for at = 8, writesEnd, ${writeWidth} do
  local kind, key, indexes, body = ARGV[at], ARGV[at + 1], ARGV[at + 5], ARGV[at + 6]
  local version, _, _, _, before = line(kind, key)
  for _, field in ipairs({kind, key, string.format('%d', version + 1), before, body, indexes}) do
    entry[#entry + 1] = 'write'
    entry[#entry + 1] = field
  end
end
for at = writesEnd + 1, lettersEnd, 3 do
  if ARGV[at + 2] ~= '' then
    for _, field in ipairs({ARGV[at], ARGV[at + 1]}) do
      entry[#entry + 1] = 'letter'
      entry[#entry + 1] = field
    end
  end
end
local revision = redis.call('XADD', outbox, '*', unpack(entry))
for at = writesEnd + 1, lettersEnd, 3 do
  if ARGV[at + 2] == '' then redis.call('HDEL', letters, ARGV[at])
  else redis.call('HSET', letters, ARGV[at], ARGV[at + 1] .. '\\n' .. ARGV[at + 2]) end
end

local function leave(kind, key, indexes)
  for _, index in ipairs(cjson.decode(indexes)) do
    redis.call('ZREM', prefix .. kind .. ':by:' .. index[1], key)
  end
end
local function join(kind, key, indexes)
  for _, index in ipairs(cjson.decode(indexes)) do
    redis.call('ZADD', prefix .. kind .. ':by:' .. index[1], index[2], key)
  end
end
for at = 8, writesEnd, ${writeWidth} do
  local kind, key = ARGV[at], ARGV[at + 1]
  local id, indexes, body, personalIndexes, personal = unpack(ARGV, at + 4, at + 8)
  local records, ids = prefix .. kind, prefix .. kind .. ':ids'
  local version, _, oldId, oldIndexes = line(kind, key)
  local oldPersonal = redis.call('HGET', records .. ':personal', key)
  leave(kind, key, oldIndexes)
  if oldPersonal then leave(kind, key, string.match(oldPersonal, '^[^\\n]*')) end
  if oldId ~= id and oldId ~= '' then redis.call('HDEL', ids, oldId) end
  if body == '' then
    redis.call('HDEL', records, key)
  else
    local text = table.concat({string.format('%d', version + 1), commit, id, indexes, body}, '\\n')
    redis.call('HSET', records, key, text)
    if id ~= '' then redis.call('HSET', ids, id, key) end
    join(kind, key, indexes)
  end
  if personal == '' then
    redis.call('HDEL', records .. ':personal', key)
  else
    redis.call('HSET', records .. ':personal', key, personalIndexes .. '\\n' .. personal)
    join(kind, key, personalIndexes)
  end
  redis.call('HSET', revisions, kind, revision)
end
return 'committed'
`;

/** ARGV: prefix, then kind and key of each. Answers each one's line and its personal fields, or nil twice. */
export const readScript = `
local reply = {}
for at = 2, #ARGV, 2 do
  local records, key = ARGV[1] .. ARGV[at], ARGV[at + 1]
  reply[#reply + 1] = redis.call('HGET', records, key)
  reply[#reply + 1] = redis.call('HGET', records .. ':personal', key)
end
return reply
`;

/** KEYS: revisions. ARGV: prefix, how many kinds, these, then for each record kind and key. */
export const marksScript = `
local reply, kinds = {}, tonumber(ARGV[2])
for at = 3, 2 + kinds do reply[#reply + 1] = redis.call('HGET', KEYS[1], ARGV[at]) or '' end
for at = 3 + kinds, #ARGV, 2 do
  local line = redis.call('HGET', ARGV[1] .. ARGV[at], ARGV[at + 1])
  reply[#reply + 1] = line and string.match(line, '^%d+\\n([^\\n]*)') or ''
end
return reply
`;

/** KEYS: ids, records, personal. ARGV: id. Answers the key, its line and its personal fields. */
export const byIdScript = `
local key = redis.call('HGET', KEYS[1], ARGV[1])
if not key then return {} end
return {key, redis.call('HGET', KEYS[2], key), redis.call('HGET', KEYS[3], key)}
`;

/** KEYS: records, revisions. ARGV: kind. Answers the revision, then key and line of each. */
export const allScript = `
local reply = redis.call('HGETALL', KEYS[1])
table.insert(reply, 1, redis.call('HGET', KEYS[2], ARGV[1]) or '')
return reply
`;

/**
 * Works on ranks in ascending order: [from, to) is what meets the bounds, [low, high) what lies between the two
 * places, and the page is its low or high end. A place whose record is gone is put in, measured and taken out.
 * KEYS: records, personal, a name for the intersection, the indexes whose common members are wanted.
 * ARGV: scoreFrom, scoreBefore, above (score, key), below (score, key), low|high, limit.
 */
export const pageScript = `
local key = KEYS[4]
if #KEYS > 4 then
  key = KEYS[3]
  local sets = {unpack(KEYS, 4)}
  sets[#sets + 1] = 'WEIGHTS'
  for at = 4, #KEYS do sets[#sets + 1] = at == 4 and 1 or 0 end
  redis.call('ZINTERSTORE', key, #KEYS - 3, unpack(sets))
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
local keys, lines, personal = {}, {}, {}
if high > low then
  keys = redis.call('ZRANGE', key, low, high - 1)
  lines = redis.call('HMGET', KEYS[1], unpack(keys))
  personal = redis.call('HMGET', KEYS[2], unpack(keys))
end
if #KEYS > 4 then redis.call('DEL', key) end
return {total, low > from and 1 or 0, high < to and 1 or 0, keys, lines, personal}
`;

/**
 * KEYS: outbox, the batch in hand. ARGV: token for a new batch, most entries, bytes that end it.
 * Answers the batch's token and entries, or nil and none.
 */
export const takeScript = `
local outbox, batch = unpack(KEYS)
local token, last = unpack(redis.call('HMGET', batch, 'token', 'last'))
if token then return {token, redis.call('XRANGE', outbox, '-', last)} end
local entries, bytes, from = {}, 0, '-'
local entriesMax, bytesMax = tonumber(ARGV[2]), tonumber(ARGV[3])
while #entries < entriesMax and bytes < bytesMax do
  local some = redis.call('XRANGE', outbox, from, '+', 'COUNT', math.min(20, entriesMax - #entries))
  if #some == 0 then break end
  for _, entry in ipairs(some) do
    if bytes >= bytesMax then break end
    entries[#entries + 1] = entry
    for _, field in ipairs(entry[2]) do bytes = bytes + #field end
    from = '(' .. entry[1]
  end
end
if #entries == 0 then return {false, {}} end
redis.call('HSET', batch, 'token', ARGV[1], 'last', entries[#entries][1])
return {ARGV[1], entries}
`;

/** KEYS: outbox, the batch in hand. ARGV: token. */
export const doneScript = `
local outbox, batch = unpack(KEYS)
local token, last = unpack(redis.call('HMGET', batch, 'token', 'last'))
if token ~= ARGV[1] then return 0 end
local ms, seq = string.match(last, '^(%d+)-(%d+)$')
redis.call('XTRIM', outbox, 'MINID', string.format('%s-%d', ms, seq + 1))
redis.call('DEL', batch)
return 1
`;

/** KEYS: letters. ARGV: customer, letter's id. Erases that letter; 0 when it is gone, or another one is there. */
export const eraseLetterScript = `
local letter = redis.call('HGET', KEYS[1], ARGV[1])
if not letter or string.match(letter, '^[^\\n]*') ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
`;

/** KEYS: records, personal. ARGV: keys. Both as one state. */
export const personalScript = `
return {redis.call('HMGET', KEYS[1], unpack(ARGV)), redis.call('HMGET', KEYS[2], unpack(ARGV))}
`;

/**
 * KEYS: the mark of a restore, the outbox, revisions, the records of every kind. `taken` when there is anything
 * already that a restore did not put there.
 */
export const beginRestoreScript = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 'begun' end
if redis.call('XLEN', KEYS[2]) > 0 then return 'taken' end
if redis.call('EXISTS', unpack(KEYS, 3)) > 0 then return 'taken' end
redis.call('SET', KEYS[1], '1')
return 'begun'
`;

/**
 * KEYS: the mark of a restore. ARGV: prefix, then for each record kind, key, line, id, indexes, the personal line,
 * personal indexes; an empty personal line is none. Doing it again changes nothing.
 */
export const restoreScript = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 'ended' end
for at = 2, #ARGV, 7 do
  local kind, key, line, id, indexes, personal, personalIndexes = unpack(ARGV, at, at + 6)
  local records = ARGV[1] .. kind
  redis.call('HSET', records, key, line)
  if id ~= '' then redis.call('HSET', records .. ':ids', id, key) end
  if personal ~= '' then redis.call('HSET', records .. ':personal', key, personal) end
  for _, list in ipairs({indexes, personalIndexes}) do
    for _, index in ipairs(cjson.decode(list)) do
      redis.call('ZADD', records .. ':by:' .. index[1], index[2], key)
    end
  end
end
return 'restored'
`;

/**
 * KEYS: the mark of a restore, the outbox, revisions. ARGV: the newest commit's id, then kind and revision of each.
 * The outbox goes on after the newest id, so that ids rise although a clock was set back.
 */
export const endRestoreScript = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 'ended' end
for at = 2, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1]) end
if ARGV[1] ~= '' and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('XADD', KEYS[2], ARGV[1], 'restored', '')
  redis.call('XDEL', KEYS[2], ARGV[1])
end
redis.call('DEL', KEYS[1])
return 'ended'
`;
