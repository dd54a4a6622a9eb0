/**
 * The steps on records that must happen as one; Redis runs a script alone.
 *
 * `<prefix><kind>` is a hash: key → the record's line, `version LF commit LF id LF indexes LF body`, where the body
 * is JSON without its personal fields and the indexes are JSON pairs of name and score. `<prefix><kind>:personal`
 * is a hash: key → `indexes LF fields`, both JSON. `<prefix><kind>:ids` is a hash: id → key, and
 * `<prefix><kind>:by:<name>` an index's sorted set. All carry the namespace's braces, so all are in one slot.
 *
 * The first key of each script is the hash of revisions, and the first argument says in which life the records have
 * to be (`record-keys.ts`): one by its name, `?` for any, or empty, which asks for none. A Redis that was emptied has
 * none, so it answers no question and takes no commit, rather than pass for an installation without customers. While
 * somebody is about to empty it the keys go one by one: hence the field '' in every hash of records and of personal
 * fields, without which the hash is taken for gone, as the outbox is where there is none.
 */

/** How many arguments of the commit script describe one write. */
export const writeWidth = 9;

/** What an error of these scripts begins with when the records are in no life. */
export const closedReply = 'RECORDSCLOSED';

const open = `
local closed = redis.error_reply('${closedReply} the records are not there')
local life = redis.call('HGET', KEYS[1], '')
if ARGV[1] ~= '' and not life then return closed end
local known = {}
local function isGone(records)
  if ARGV[1] == '' or known[records] then return false end
  known[records] = redis.call('HEXISTS', records, '') == 1
  return not known[records]
end`;

/**
 * KEYS: revisions, the outbox, letters.
 * ARGV: life, prefix, commit id, audit, the outbox' bound, the letters' bound, how many writes, how many letters; for each
 * write kind, key, expected version, bound of the kind, id, indexes, body, personal indexes, personal fields; for
 * each letter customer, id, text; then for each record that is to be unchanged kind, key, expected version. An empty
 * body deletes, empty fields are none, an empty text erases the customer's letter.
 * Everything is checked before anything is written, and the outbox comes first: it is the write that a full
 * memory refuses.
 */
export const commitScript = `${open}
local revisions, outbox, letters = unpack(KEYS)
local asked, prefix, commit, audit, entriesMax, lettersMax, writes, letterCount = unpack(ARGV)
local writesEnd = 8 + writes * ${writeWidth}
local lettersEnd = writesEnd + letterCount * 3
local function line(kind, key)
  local text = redis.call('HGET', prefix .. kind, key)
  if not text then return '0', '', '', '[]', '' end
  return string.match(text, '^(%d+)\\n([^\\n]*)\\n([^\\n]*)\\n([^\\n]*)\\n(.*)$')
end
if asked ~= '' and redis.call('EXISTS', outbox) == 0 then return closed end
local created, conflict = {}, asked ~= '' and asked ~= '?' and asked ~= life
for at = 9, writesEnd, ${writeWidth} do
  local kind, expected, recordsMax = ARGV[at], ARGV[at + 2], ARGV[at + 3]
  if isGone(prefix .. kind) then return closed end
  local version, last = line(kind, ARGV[at + 1])
  if last == commit then return 'committed' end
  if version ~= expected then conflict = true end
  if version == '0' and recordsMax ~= '' then
    created[kind] = (created[kind] or 0) + 1
    local kept = redis.call('HLEN', prefix .. kind) - redis.call('HEXISTS', prefix .. kind, '')
    if kept + created[kind] > tonumber(recordsMax) then
      created.full = true
    end
  end
end
for at = lettersEnd + 1, #ARGV, 3 do
  if isGone(prefix .. ARGV[at]) then return closed end
  if line(ARGV[at], ARGV[at + 1]) ~= ARGV[at + 2] then return 'conflict' end
end
if conflict then return 'conflict' end
if created.full then return 'full' end
if redis.call('XLEN', outbox) >= tonumber(entriesMax) then return 'outbox-full' end
local waiting = redis.call('HLEN', letters)
for at = writesEnd + 1, lettersEnd, 3 do
  if ARGV[at + 2] ~= '' and redis.call('HEXISTS', letters, ARGV[at]) == 0 then waiting = waiting + 1 end
  if waiting > tonumber(lettersMax) then return 'letters-full' end
end

local entry = {'commit', commit, 'audit', audit}
for at = 9, writesEnd, ${writeWidth} do
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
for at = 9, writesEnd, ${writeWidth} do
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

/**
 * KEYS: revisions. ARGV: life, prefix, then kind and key of each. Answers the life, then each one's line and its
 * personal fields, or nil twice.
 */
export const readScript = `${open}
local reply = {life}
for at = 3, #ARGV, 2 do
  local records, key = ARGV[2] .. ARGV[at], ARGV[at + 1]
  if isGone(records) then return closed end
  reply[#reply + 1] = redis.call('HGET', records, key)
  reply[#reply + 1] = redis.call('HGET', records .. ':personal', key)
end
return reply
`;

/** A kind's revision, which returns to no text that it had, not even in another life. */
const revisionOf = (kind: string): string => `(life or '') .. (redis.call('HGET', KEYS[1], ${kind}) or '')`;

/** KEYS: revisions. ARGV: life, prefix, how many kinds, these, then for each record kind and key. */
export const marksScript = `${open}
local reply, kinds = {}, tonumber(ARGV[3])
for at = 4, 3 + kinds do reply[#reply + 1] = ${revisionOf('ARGV[at]')} end
for at = 4 + kinds, #ARGV, 2 do
  if isGone(ARGV[2] .. ARGV[at]) then return closed end
  local line = redis.call('HGET', ARGV[2] .. ARGV[at], ARGV[at + 1])
  reply[#reply + 1] = line and string.match(line, '^%d+\\n([^\\n]*)') or ''
end
return reply
`;

/** KEYS: revisions, ids, records, personal. ARGV: life, id. Answers the key, its line and its personal fields. */
export const byIdScript = `${open}
if isGone(KEYS[3]) then return closed end
local key = redis.call('HGET', KEYS[2], ARGV[2])
if not key then return {} end
return {key, redis.call('HGET', KEYS[3], key), redis.call('HGET', KEYS[4], key)}
`;

/** KEYS: revisions, records. ARGV: life, kind. Answers the revision, then key and line of each, and perhaps of ''. */
export const allScript = `${open}
if isGone(KEYS[2]) then return closed end
local reply = redis.call('HGETALL', KEYS[2])
table.insert(reply, 1, ${revisionOf('ARGV[2]')})
return reply
`;

/** KEYS: revisions. ARGV: life, kind. */
export const revisionScript = `${open}
return ${revisionOf('ARGV[2]')}
`;

/** KEYS: revisions, an index. ARGV: life, keys. Answers those of the keys that are in it. */
export const membersScript = `${open}
local reply = {}
for at = 2, #ARGV do
  if redis.call('ZSCORE', KEYS[2], ARGV[at]) then reply[#reply + 1] = ARGV[at] end
end
return reply
`;

/**
 * Works on ranks in ascending order: [from, to) is what meets the bounds, [low, high) what lies between the two
 * places, and the page is its low or high end. A place whose record is gone is put in, measured and taken out.
 * KEYS: revisions, records, personal, a name for the intersection, the indexes whose common members are wanted.
 * ARGV: life, scoreFrom, scoreBefore, above (score, key), below (score, key), low|high, limit.
 */
export const pageScript = `${open}
if isGone(KEYS[2]) then return closed end
local key = KEYS[5]
if #KEYS > 5 then
  key = KEYS[4]
  local sets = {unpack(KEYS, 5)}
  sets[#sets + 1] = 'WEIGHTS'
  for at = 5, #KEYS do sets[#sets + 1] = at == 5 and 1 or 0 end
  redis.call('ZINTERSTORE', key, #KEYS - 4, unpack(sets))
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
if ARGV[2] ~= '-inf' then from = redis.call('ZCOUNT', key, '-inf', '(' .. ARGV[2]) end
local to = redis.call('ZCARD', key)
if ARGV[3] ~= '+inf' then to = redis.call('ZCOUNT', key, '-inf', '(' .. ARGV[3]) end
local low, high = from, math.max(from, to)
local total = high - low
if ARGV[5] ~= '' then
  local _, past = rank(ARGV[4], ARGV[5])
  low = math.max(low, past)
end
if ARGV[7] ~= '' then
  local at = rank(ARGV[6], ARGV[7])
  high = math.min(high, at)
end
high = math.max(low, high)
local limit = tonumber(ARGV[9])
if ARGV[8] == 'low' then high = math.min(high, low + limit)
else low = math.max(low, high - limit) end
local keys, lines, personal = {}, {}, {}
if high > low then
  keys = redis.call('ZRANGE', key, low, high - 1)
  lines = redis.call('HMGET', KEYS[2], unpack(keys))
  personal = redis.call('HMGET', KEYS[3], unpack(keys))
end
if #KEYS > 5 then redis.call('DEL', key) end
return {total, low > from and 1 or 0, high < to and 1 or 0, keys, lines, personal}
`;

/**
 * KEYS: outbox, the batch in hand, revisions. ARGV: token for a new batch, most entries, bytes that end it.
 * Answers the records' life, then the batch's token and entries, or nil and none.
 */
export const takeScript = `
local outbox, batch, revisions = unpack(KEYS)
local life = redis.call('HGET', revisions, '') or ''
local token, last = unpack(redis.call('HMGET', batch, 'token', 'last'))
if token then return {life, token, redis.call('XRANGE', outbox, '-', last)} end
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
if #entries == 0 then return {life, false, {}} end
redis.call('HSET', batch, 'token', ARGV[1], 'last', entries[#entries][1])
return {life, ARGV[1], entries}
`;

/**
 * KEYS: outbox, the batch in hand, revisions. ARGV: token, the life that it was taken in. In another life the records
 * were made again before the change log had these commits: they are closed, to be made again with them.
 */
export const doneScript = `
local outbox, batch, revisions = unpack(KEYS)
local life = redis.call('HGET', revisions, '')
if ARGV[2] ~= '' and life and life ~= ARGV[2] then redis.call('DEL', revisions) end
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

/**
 * KEYS: revisions, records, personal. ARGV: life, keys. Both as one state. What is gone here is then erased where the
 * change log keeps it.
 */
export const personalScript = `${open}
if isGone(KEYS[2]) or isGone(KEYS[3]) then return closed end
local keys = {unpack(ARGV, 2)}
return {redis.call('HMGET', KEYS[2], unpack(keys)), redis.call('HMGET', KEYS[3], unpack(keys))}
`;
