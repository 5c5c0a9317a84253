// Made by tools/build-lua.mjs from lib/store/lua: change it there.

/** A Lua script and the number of keys it touches. */
export interface Script {
  readonly numberOfKeys: number;
  readonly lua: string;
}

/** The name of a script. */
export type ScriptName = 'admit' | 'advance' | 'answer' | 'answered' | 'ask' | 'block' | 'claim' | 'conclude' | 'create' | 'decide' | 'delivery' | 'due' | 'failed' | 'guess' | 'keep' | 'late' | 'leave' | 'once' | 'pending' | 'poll' | 'postpone' | 'prompt' | 'read' | 'release' | 'reopen' | 'reserve' | 'schedule' | 'settle' | 'status' | 'told' | 'unblock';

/** One script per state change, by name. */
export const scripts: Readonly<Record<ScriptName, Script>> = {
  admit: {
    numberOfKeys: 2,
    lua: `--[[
  Takes a place among an account's pending requests, and among those of the account and the client.
  KEYS[1] the account's index, a sorted set of the client's digest, ':' and the handle, by expiry
  KEYS[2] what the account refused the client, a sorted set of handles by the time until which they count; '!' is a block
  ARGV[1] clock offset in ms
  ARGV[2] the client's digest
  ARGV[3] handle
  ARGV[4] lifetime in ms
  ARGV[5] how many places the account has, -1 for any number
  ARGV[6] how many places the account has for the client, -1 for any number
  ARGV[7] how many refusals there may be, -1 for any number
  ARGV[8] how long a refusal counts, in ms
  Output  'ok', or which limit is reached: 'blocked', 'refusals', 'account', 'account_and_client'
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Lets a key live so many milliseconds at least.
local function outlive(key, time)
  if redis.call('PTTL', key) < time then redis.call('PEXPIRE', key, time) end
end
-- The entries of a client in an account's index, of those that end between two times.
local function of_client(index, client, from, to)
  local entries = {}
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', index, from, to)) do
    if entry:sub(1, #client + 1) == client .. ':' then entries[#entries + 1] = entry end
  end
  return entries
end
-- Takes a place among an account's pending requests, or says which limit is reached. A request that ended there without having left was not
-- answered, and counts as a refusal. Limits are -1 where there is none.
local function admit(now, index, refused, client, handle, lifetime, limits)
  local entry = client .. ':' .. handle
  -- What was not answered stays for as long as it counts.
  local stays = limits.refusals ~= '-1' and tonumber(limits.cooldown) or 0
  local yet = '(' .. now
  local function full(count, places) return places ~= '-1' and count >= tonumber(places) end
  local function of_this(from, to) return #of_client(index, client, from, to) end

  -- Nearly everybody is asked by nobody else, and has refused nothing.
  local known = redis.call('EXISTS', index, refused) > 0
  if known then
    if redis.call('ZSCORE', index, entry) then return 'ok' end
    local blocked = redis.call('ZSCORE', refused, '!')
    if blocked and tonumber(blocked) > now then return 'blocked' end
    local unanswered = of_this('(' .. now - stays, now)
    if full(redis.call('ZCOUNT', refused, yet, '+inf') + unanswered, limits.refusals) then return 'refusals' end
    if full(redis.call('ZCOUNT', index, yet, '+inf'), limits.account) then return 'account' end
    if limits.pair ~= '-1' and full(of_this(yet, '+inf'), limits.pair) then return 'account_and_client' end
  end
  -- See reserve.
  redis.call('ZADD', index, now + tonumber(lifetime), entry)
  if known then
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now - stays)
    redis.call('ZREMRANGEBYSCORE', refused, '-inf', now)
  end
  outlive(index, tonumber(lifetime) + stays)
  return 'ok'
end
local limits = {account = ARGV[5], pair = ARGV[6], refusals = ARGV[7], cooldown = ARGV[8]}
return admit(clock(ARGV[1]), KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4], limits)
`,
  },
  advance: {
    numberOfKeys: 1,
    lua: `--[[
  Ends a turn of prompting a person, and says when the next one is.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] the turn that ends
  ARGV[3] ms until the next
  ARGV[4] progress
  ARGV[5] operation id
  Output  ms until the next turn, -1 for a repeat that the next turn has ended before, or false where that turn is
          not the present one
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
local now = clock(ARGV[1])
local ended_by = 'advanced' .. ARGV[2]
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'prompt', ended_by, 'nextprompt')
if status_at(now, r[1], r[2], r[3], r[4]) == 'gone' or not r[5] then return false end
if r[6] == ARGV[5] then
  if tonumber(r[5]) ~= ARGV[2] + 1 then return -1 end
  return math.max(0, tonumber(r[7]) - now)
end
if r[5] ~= ARGV[2] then return false end
redis.call('HSET', KEYS[1], 'prompt', r[5] + 1, ended_by, ARGV[5], 'nextprompt', now + tonumber(ARGV[3]))
write_text(KEYS[1], 'progress', ARGV[4])
return tonumber(ARGV[3])
`,
  },
  answer: {
    numberOfKeys: 1,
    lua: `--[[
  Reads the answer that has left to whoever redeemed a request.
  KEYS[1] the answer
  ARGV[1] clock offset in ms
  Output  the answer, sealed, or false where none is kept
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
local r = redis.call('HMGET', KEYS[1], 'sealed', 'until')
if not r[1] or clock(ARGV[1]) >= tonumber(r[2]) then return false end
return r[1]
`,
  },
  answered: {
    numberOfKeys: 2,
    lua: `--[[
  Keeps the answer that leaves, while its redemption stands, of which there is no doubt then.
  KEYS[1] the request
  KEYS[2] the answer
  ARGV[1] clock offset in ms
  ARGV[2] the claim's token
  ARGV[3] the answer, sealed
  ARGV[4] for how many ms it is kept
  Output  1 where it is kept, else 0
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
local r = redis.call('HMGET', KEYS[1], 'status', 'claim')
if r[1] ~= 'redeemed' or r[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], 'sealed', ARGV[3], 'until', clock(ARGV[1]) + tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('HDEL', KEYS[1], 'doubt')
return 1
`,
  },
  ask: {
    numberOfKeys: 7,
    lua: `--[[
  Takes the places of a request and stores it as pending, with all that is to be looked at later: in one step, where all keys lie on one server.
  KEYS[1] the request
  KEYS[2] its callback
  KEYS[3] the account's index
  KEYS[4] what the account refused the client
  KEYS[5] the client's index
  KEYS[6] the index of those whose clients are told
  KEYS[7] the index of those whose people are prompted
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] account
  ARGV[4] lifetime in ms
  ARGV[5] retention in ms
  ARGV[6] interval in ms
  ARGV[7] payload
  ARGV[8] callback, '' where the client polls
  ARGV[9] how much longer than the request the callback lives, in ms, 0 where nobody is told of its end
  ARGV[10] the turn in which its person is prompted first, 0 where nobody is
  ARGV[11] the client's digest
  ARGV[12] handle
  ARGV[13] how many places the client has, -1 for any number
  ARGV[14] how many places the account has, -1 for any number
  ARGV[15] how many places the account has for the client, -1 for any number
  ARGV[16] how many refusals there may be, -1 for any number
  ARGV[17] how long a refusal counts, in ms
  ARGV[18] in how many ms it is looked at whether its person was prompted
  ARGV[19] how long an index lives at least, in ms
  Output  'ok', or which limit is reached: 'client', 'blocked', 'refusals', 'account', 'account_and_client'
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Lets a key live so many milliseconds at least.
local function outlive(key, time)
  if redis.call('PTTL', key) < time then redis.call('PEXPIRE', key, time) end
end
-- The entries of a client in an account's index, of those that end between two times.
local function of_client(index, client, from, to)
  local entries = {}
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', index, from, to)) do
    if entry:sub(1, #client + 1) == client .. ':' then entries[#entries + 1] = entry end
  end
  return entries
end
-- Takes a place among a client's pending requests, in an index of handles by expiry, unless there are so many.
local function reserve(now, index, handle, lifetime, places)
  if redis.call('ZSCORE', index, handle) then return 'ok' end
  if redis.call('ZCOUNT', index, '(' .. now, '+inf') >= tonumber(places) then return 'full' end
  -- The first write is one that Redis refuses while its memory is full: after another one it would take all of a script.
  redis.call('ZADD', index, now + tonumber(lifetime), handle)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  outlive(index, tonumber(lifetime))
  return 'ok'
end
-- Takes a place among an account's pending requests, or says which limit is reached. A request that ended there without having left was not
-- answered, and counts as a refusal. Limits are -1 where there is none.
local function admit(now, index, refused, client, handle, lifetime, limits)
  local entry = client .. ':' .. handle
  -- What was not answered stays for as long as it counts.
  local stays = limits.refusals ~= '-1' and tonumber(limits.cooldown) or 0
  local yet = '(' .. now
  local function full(count, places) return places ~= '-1' and count >= tonumber(places) end
  local function of_this(from, to) return #of_client(index, client, from, to) end

  -- Nearly everybody is asked by nobody else, and has refused nothing.
  local known = redis.call('EXISTS', index, refused) > 0
  if known then
    if redis.call('ZSCORE', index, entry) then return 'ok' end
    local blocked = redis.call('ZSCORE', refused, '!')
    if blocked and tonumber(blocked) > now then return 'blocked' end
    local unanswered = of_this('(' .. now - stays, now)
    if full(redis.call('ZCOUNT', refused, yet, '+inf') + unanswered, limits.refusals) then return 'refusals' end
    if full(redis.call('ZCOUNT', index, yet, '+inf'), limits.account) then return 'account' end
    if limits.pair ~= '-1' and full(of_this(yet, '+inf'), limits.pair) then return 'account_and_client' end
  end
  -- See reserve.
  redis.call('ZADD', index, now + tonumber(lifetime), entry)
  if known then
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now - stays)
    redis.call('ZREMRANGEBYSCORE', refused, '-inf', now)
  end
  outlive(index, tonumber(lifetime) + stays)
  return 'ok'
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
-- Writes a new request, which nobody has polled or decided, and what its client is to be told with.
local function store(now, key, callback, given)
  local expires = now + tonumber(given.lifetime)
  local fields = {'status', 'pending', 'client', given.client, 'account', given.account, 'expires', expires,
    'keep', expires + tonumber(given.retention), 'interval', given.interval}
  local function add(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  add_text(add, PAYLOAD, given.payload)
  if given.turn ~= '0' then add('prompt', given.turn) end
  if given.callback ~= '' then
    add('delivery', 'waiting')
    add('attempts', 0)
    add('turn', 1)
    redis.call('HSET', callback, 'callback', given.callback)
    redis.call('PEXPIRE', callback, tonumber(given.lifetime) + tonumber(given.grace))
  end
  redis.call('HSET', key, unpack(fields))
  redis.call('PEXPIRE', key, tonumber(given.lifetime) + tonumber(given.retention))
end
-- Notes in an index when a request has to be looked at; the index lives so long at least.
local function schedule(index, handle, at, life)
  redis.call('ZADD', index, at, handle)
  redis.call('PEXPIRE', index, life)
end
-- A repeat.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'ok' end
local now = clock(ARGV[1])
local handle, lifetime, limited = ARGV[12], ARGV[4], ARGV[13] ~= '-1'
if limited and reserve(now, KEYS[5], handle, lifetime, ARGV[13]) == 'full' then return 'client' end
local admitted = admit(now, KEYS[3], KEYS[4], ARGV[11], handle, lifetime,
  {account = ARGV[14], pair = ARGV[15], refusals = ARGV[16], cooldown = ARGV[17]})
if admitted ~= 'ok' then
  if limited then redis.call('ZREM', KEYS[5], handle) end
  return admitted
end
store(now, KEYS[1], KEYS[2], {client = ARGV[2], account = ARGV[3], lifetime = lifetime, retention = ARGV[5],
  interval = ARGV[6], payload = ARGV[7], callback = ARGV[8], grace = ARGV[9], turn = ARGV[10]})
if ARGV[8] ~= '' and ARGV[9] ~= '0' then schedule(KEYS[6], handle, now + tonumber(lifetime), ARGV[19]) end
if ARGV[10] ~= '0' then schedule(KEYS[7], handle, now + tonumber(ARGV[18]), ARGV[19]) end
return 'ok'
`,
  },
  block: {
    numberOfKeys: 1,
    lua: `--[[
  Lets no request of a client for an account in. Of two blocks the one that lasts longer stands.
  KEYS[1] what the account refused the client
  ARGV[1] clock offset in ms
  ARGV[2] for how many ms
  Output  'ok'
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Lets a key live so many milliseconds at least.
local function outlive(key, time)
  if redis.call('PTTL', key) < time then redis.call('PEXPIRE', key, time) end
end
redis.call('ZADD', KEYS[1], 'GT', clock(ARGV[1]) + tonumber(ARGV[2]), '!')
outlive(KEYS[1], tonumber(ARGV[2]))
return 'ok'
`,
  },
  claim: {
    numberOfKeys: 1,
    lua: `--[[
  Claims an approved request for one redemption.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] the claim's token
  ARGV[4] lease in ms
  Output  {'won'} {'claimed', ms to wait for another's claim}
          {'gone'} {'foreign'} {'pending'} {'redeemed'} {'delivered'} {'undeliverable'} {'denied'} {'cancelled'}
          {'expired'}
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- How long whoever asks for a redeemed request has to wait while it may be given back, or false: the twin of doubtLeft in lifecycle.ts.
local function doubt_left(now, status, doubt)
  if status ~= 'redeemed' or not doubt then return false end
  local left = tonumber(doubt) - now
  return left > 0 and left <= 60000 and math.min(left, 1000)
end
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'claim', 'doubt')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
if r[5] ~= ARGV[2] then return {'foreign'} end
if status == 'claimed' then
  if r[6] ~= ARGV[3] then return {'claimed', tonumber(r[4]) - now} end
  redis.call('HSET', KEYS[1], 'claim', ARGV[3]) -- See decide.
  return {'won'}
end
local doubt = doubt_left(now, status, r[7])
if doubt then return {'claimed', doubt} end
if status ~= 'approved' then return {status} end
redis.call('HSET', KEYS[1], 'status', 'claimed', 'claim', ARGV[3], 'lease', now + tonumber(ARGV[4]))
return {'won'}
`,
  },
  conclude: {
    numberOfKeys: 4,
    lua: `--[[
  Decides a pending request and leaves its places: in one step, where all keys lie on one server.
  KEYS[1] the request
  KEYS[2] the account's index
  KEYS[3] what the account refused the client
  KEYS[4] the client's index
  ARGV[1] clock offset in ms
  ARGV[2] '=' and the account that decides, '' where the server withdraws the request
  ARGV[3] the status to come to
  ARGV[4] decision
  ARGV[5] operation id
  ARGV[6] the client's digest
  ARGV[7] handle
  ARGV[8] how long it counts as a refusal, in ms, 0 where it does not
  Output  {'decided', ms since, 1 if the places are left, else 0} {'conflict', status} {'forbidden'} {'gone'}
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
-- Lets a key live so many milliseconds at least.
local function outlive(key, time)
  if redis.call('PTTL', key) < time then redis.call('PEXPIRE', key, time) end
end
-- Decides a pending request: the first decision wins, and a repeat of it hears what the first did.
local function decide(now, key, decider, verdict, decision, operation)
  local r = redis.call('HMGET', key, 'status', 'expires', 'keep', 'lease', 'account', 'decided', 'decidedat')
  local status = status_at(now, r[1], r[2], r[3], r[4])
  if status == 'gone' then return {'gone'} end
  if decider ~= '' and decider ~= '=' .. r[5] then return {'forbidden'} end
  if r[6] == operation then
    -- Who waits for replicas waits for the last write of its connection, and a repeat may have come over another one: so it writes, too.
    redis.call('HSET', key, 'decided', operation)
    return {'decided', now - tonumber(r[7])}
  end
  if status ~= 'pending' then return {'conflict', status} end
  redis.call('HSET', key, 'status', verdict, 'decided', operation, 'decidedat', now)
  write_text(key, 'decision', decision)
  return {'decided', 0}
end
-- Leaves the place of a request among those of its account, and counts its refusal for so many milliseconds yet.
local function leave(now, index, refused, client, handle, counts)
  redis.call('ZREM', index, client .. ':' .. handle)
  if counts <= 0 then return end
  -- A repeat counts no longer than the first.
  redis.call('ZADD', refused, 'NX', now + counts, handle)
  outlive(refused, counts)
end
local now = clock(ARGV[1])
local told = decide(now, KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
if told[1] == 'decided' then
  -- A decision that was written holds, whatever becomes of its places.
  local left = pcall(function()
    leave(now, KEYS[2], KEYS[3], ARGV[6], ARGV[7], tonumber(ARGV[8]) - told[2])
    redis.call('ZREM', KEYS[4], ARGV[7])
  end)
  told[3] = left and 1 or 0
end
return told
`,
  },
  create: {
    numberOfKeys: 2,
    lua: `--[[
  Stores a pending request, and what its client is to be told with where it is told.
  KEYS[1] the request
  KEYS[2] its callback
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] account
  ARGV[4] lifetime in ms
  ARGV[5] retention in ms
  ARGV[6] interval in ms
  ARGV[7] payload
  ARGV[8] callback, '' where the client polls
  ARGV[9] how much longer than the request the callback lives, in ms
  ARGV[10] the turn in which its person is prompted first, 0 where nobody is
  Output  'ok', or 'over' where it was stored before and is not pending any more
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
-- Writes a new request, which nobody has polled or decided, and what its client is to be told with.
local function store(now, key, callback, given)
  local expires = now + tonumber(given.lifetime)
  local fields = {'status', 'pending', 'client', given.client, 'account', given.account, 'expires', expires,
    'keep', expires + tonumber(given.retention), 'interval', given.interval}
  local function add(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  add_text(add, PAYLOAD, given.payload)
  if given.turn ~= '0' then add('prompt', given.turn) end
  if given.callback ~= '' then
    add('delivery', 'waiting')
    add('attempts', 0)
    add('turn', 1)
    redis.call('HSET', callback, 'callback', given.callback)
    redis.call('PEXPIRE', callback, tonumber(given.lifetime) + tonumber(given.grace))
  end
  redis.call('HSET', key, unpack(fields))
  redis.call('PEXPIRE', key, tonumber(given.lifetime) + tonumber(given.retention))
end
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease')
if r[1] then return status_at(now, r[1], r[2], r[3], r[4]) == 'pending' and 'ok' or 'over' end
store(now, KEYS[1], KEYS[2], {client = ARGV[2], account = ARGV[3], lifetime = ARGV[4], retention = ARGV[5],
  interval = ARGV[6], payload = ARGV[7], callback = ARGV[8], grace = ARGV[9], turn = ARGV[10]})
return 'ok'
`,
  },
  decide: {
    numberOfKeys: 1,
    lua: `--[[
  Decides a pending request: the first decision wins.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] '=' and the account that decides, '' where the server withdraws the request
  ARGV[3] the status to come to
  ARGV[4] decision
  ARGV[5] operation id
  Output  {'decided', ms since} {'conflict', status} {'forbidden'} {'gone'}
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
-- Decides a pending request: the first decision wins, and a repeat of it hears what the first did.
local function decide(now, key, decider, verdict, decision, operation)
  local r = redis.call('HMGET', key, 'status', 'expires', 'keep', 'lease', 'account', 'decided', 'decidedat')
  local status = status_at(now, r[1], r[2], r[3], r[4])
  if status == 'gone' then return {'gone'} end
  if decider ~= '' and decider ~= '=' .. r[5] then return {'forbidden'} end
  if r[6] == operation then
    -- Who waits for replicas waits for the last write of its connection, and a repeat may have come over another one: so it writes, too.
    redis.call('HSET', key, 'decided', operation)
    return {'decided', now - tonumber(r[7])}
  end
  if status ~= 'pending' then return {'conflict', status} end
  redis.call('HSET', key, 'status', verdict, 'decided', operation, 'decidedat', now)
  write_text(key, 'decision', decision)
  return {'decided', 0}
end
return decide(clock(ARGV[1]), KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
`,
  },
  delivery: {
    numberOfKeys: 2,
    lua: `--[[
  Reads where the telling of a client stands.
  KEYS[1] the request
  KEYS[2] its callback
  ARGV[1] clock offset in ms
  Output  {'gone'}, or {status, remaining ms, expires ms, client, account, payload, decision,
          delivery, attempts, turn, due ms, note, callback, body, prompt}
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
local now = clock(ARGV[1])
local r = fields_of(KEYS[1])
local status = status_at(now, r.status, r.expires, r.keep, r.lease)
if status == 'gone' or not r.delivery then return {'gone'} end
local c = redis.call('HMGET', KEYS[2], 'callback', 'body')
local payload, decision = text_in(r, PAYLOAD), text_in(r, 'decision')
return {status, math.max(0, tonumber(r.expires) - now), tonumber(r.expires), r.client, r.account, payload, decision,
  r.delivery, tonumber(r.attempts), tonumber(r.turn), tonumber(r.due or 0), r.note or false, c[1], c[2], r.prompt or false}
`,
  },
  due: {
    numberOfKeys: 1,
    lua: `--[[
  Takes the handles whose time has come, so that nobody else takes them for a while.
  KEYS[1] an index of what is to be looked at
  ARGV[1] clock offset in ms
  ARGV[2] how many at most
  ARGV[3] for how many ms they are taken
  Output  the handles
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
local now = clock(ARGV[1])
local handles = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, handle in ipairs(handles) do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), handle) end
return handles
`,
  },
  failed: {
    numberOfKeys: 1,
    lua: `--[[
  Lists the handles that were given up, and drops those whose time is over.
  KEYS[1] the index of those given up, a sorted set of handles by the end of their time
  ARGV[1] clock offset in ms
  Output  the handles
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', clock(ARGV[1]))
return redis.call('ZRANGE', KEYS[1], 0, -1)
`,
  },
  guess: {
    numberOfKeys: 2,
    lua: `--[[
  Counts a guess of a user code as a wrong one, before it is looked at.
  KEYS[1] the guesses for the account, a sorted set of operation ids by the time until which they count
  KEYS[2] those of them that the client made
  ARGV[1] clock offset in ms
  ARGV[2] operation id
  ARGV[3] how long it counts, in ms
  ARGV[4] how many the account stands
  ARGV[5] how many it stands from the client
  Output  1 where it may be looked at, or 0 where there are too many
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Lets a key live so many milliseconds at least.
local function outlive(key, time)
  if redis.call('PTTL', key) < time then redis.call('PEXPIRE', key, time) end
end
local now = clock(ARGV[1])
local function full(key, places)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  return redis.call('ZCARD', key) >= tonumber(places)
end
local function count(key)
  redis.call('ZADD', key, now + tonumber(ARGV[3]), ARGV[2])
  outlive(key, tonumber(ARGV[3]))
end

local accountFull, pairFull = full(KEYS[1], ARGV[4]), full(KEYS[2], ARGV[5])
if redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 1 end
if accountFull or pairFull then return 0 end
count(KEYS[1])
count(KEYS[2])
return 1
`,
  },
  keep: {
    numberOfKeys: 2,
    lua: `--[[
  Keeps the body of a push: the first one stands.
  KEYS[1] the request
  KEYS[2] its callback
  ARGV[1] clock offset in ms
  ARGV[2] body
  ARGV[3] its mark: of two that are kept at a time it says whether they are the same, which encrypted ones do not
  Output  the body that stands, or false where nobody is to be told any more
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'delivery', 'kept')
if status_at(now, r[1], r[2], r[3], r[4]) == 'gone' then return false end
-- A repeat of the one that was delivered must not be told that it is of no use: its tokens are with the client.
if r[5] == 'delivered' and r[6] == ARGV[3] then return ARGV[2] end
if r[5] ~= 'waiting' then return false end
local c = redis.call('HMGET', KEYS[2], 'callback', 'body')
if c[2] then
  redis.call('HSET', KEYS[2], 'body', c[2]) -- See decide.
  return c[2]
end
if not c[1] then return false end
redis.call('HSET', KEYS[1], 'kept', ARGV[3])
redis.call('HSET', KEYS[2], 'body', ARGV[2])
-- Until the tokens in it are delivered or revoked, which may be after the request's end.
redis.call('PEXPIRE', KEYS[2], tonumber(r[3]) - now)
return ARGV[2]
`,
  },
  late: {
    numberOfKeys: 1,
    lua: `--[[
  Counts what should have been taken some time ago.
  KEYS[1] an index of what is to be looked at
  ARGV[1] clock offset in ms
  ARGV[2] how long ago, in ms
  Output  how many
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
return redis.call('ZCOUNT', KEYS[1], '-inf', clock(ARGV[1]) - tonumber(ARGV[2]))
`,
  },
  leave: {
    numberOfKeys: 2,
    lua: `--[[
  Leaves the place of a request, and counts its refusal where it is one.
  KEYS[1] the account's index
  KEYS[2] what the account refused the client
  ARGV[1] clock offset in ms
  ARGV[2] the client's digest
  ARGV[3] handle
  ARGV[4] how long it counts as a refusal yet, in ms, 0 where it does not
  Output  'ok'
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Lets a key live so many milliseconds at least.
local function outlive(key, time)
  if redis.call('PTTL', key) < time then redis.call('PEXPIRE', key, time) end
end
-- Leaves the place of a request among those of its account, and counts its refusal for so many milliseconds yet.
local function leave(now, index, refused, client, handle, counts)
  redis.call('ZREM', index, client .. ':' .. handle)
  if counts <= 0 then return end
  -- A repeat counts no longer than the first.
  redis.call('ZADD', refused, 'NX', now + counts, handle)
  outlive(refused, counts)
end
leave(clock(ARGV[1]), KEYS[1], KEYS[2], ARGV[2], ARGV[3], tonumber(ARGV[4]))
return 'ok'
`,
  },
  once: {
    numberOfKeys: 1,
    lua: `--[[
  Uses up what can be used once.
  KEYS[1] the thing, a hash of who used it, and until when that is remembered
  ARGV[1] clock offset in ms
  ARGV[2] operation id
  ARGV[3] for how many ms it is remembered
  Output  1 where it was used by this operation, else 0
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
local now = clock(ARGV[1])
local used = redis.call('HMGET', KEYS[1], 'by', 'until')
if used[1] and now < tonumber(used[2]) then return used[1] == ARGV[2] and 1 or 0 end
redis.call('HSET', KEYS[1], 'by', ARGV[2], 'until', now + tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`,
  },
  pending: {
    numberOfKeys: 1,
    lua: `--[[
  Lists an account's pending requests.
  KEYS[1] the account's index
  ARGV[1] clock offset in ms
  Output  the entries of the index
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. clock(ARGV[1]), '+inf')
`,
  },
  poll: {
    numberOfKeys: 1,
    lua: `--[[
  Answers a poll, and counts it against the interval while the request is pending. One that is approved it may claim, unless its client is told of it.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] operation id
  ARGV[4] what a too early poll adds to the interval, in ms
  ARGV[5] how much too early a poll may come, in ms
  ARGV[6] the token of the claim, '' where it makes none
  ARGV[7] the claim's lease in ms
  Output  {'gone'} {'foreign'} {'redeemed'} {'delivered'} {'undeliverable'} {'cancelled'} {'expired'}
          {'pending' or 'slow_down', ms to wait, ms of life left} {'claimed', ms to wait}
          {'approved', ms of life left, account, payload, decision, 1 if this poll has the claim, else 0} {'denied', decision}
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- How long whoever asks for a redeemed request has to wait while it may be given back, or false: the twin of doubtLeft in lifecycle.ts.
local function doubt_left(now, status, doubt)
  if status ~= 'redeemed' or not doubt then return false end
  local left = tonumber(doubt) - now
  return left > 0 and left <= 60000 and math.min(left, 1000)
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'interval', 'next', 'poll', 'slowed', 'doubt')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
if r[5] ~= ARGV[2] then return {'foreign'} end
if status == 'pending' then
  -- A repeat; one that comes when the next poll is due is the next poll.
  if r[8] == ARGV[3] and now < tonumber(r[7]) then
    return {r[9] and 'slow_down' or 'pending', tonumber(r[7]) - now, tonumber(r[2]) - now}
  end
  local interval, told = tonumber(r[6]), 'pending'
  -- A next poll that is further off than an interval is no judgement of this client: the clock went back.
  if r[7] and now + tonumber(ARGV[5]) < tonumber(r[7]) and tonumber(r[7]) <= now + interval then
    interval, told = interval + tonumber(ARGV[4]), 'slow_down'
    redis.call('HSET', KEYS[1], 'interval', interval, 'slowed', 1)
  elseif r[9] then
    redis.call('HDEL', KEYS[1], 'slowed')
  end
  redis.call('HSET', KEYS[1], 'next', now + interval, 'poll', ARGV[3])
  return {told, interval, tonumber(r[2]) - now}
end
local claims = ARGV[6] ~= ''
local repeated = claims and status == 'claimed' and redis.call('HGET', KEYS[1], 'claim') == ARGV[6]
if status == 'approved' or repeated then
  local fields = fields_of(KEYS[1])
  local payload, decision = text_in(fields, PAYLOAD), text_in(fields, 'decision')
  -- What a client is told of may be pushed to it, and is not redeemed then.
  claims = claims and not fields.delivery
  if claims and not repeated then
    redis.call('HSET', KEYS[1], 'status', 'claimed', 'claim', ARGV[6], 'lease', now + tonumber(ARGV[7]))
  end
  return {'approved', tonumber(r[2]) - now, fields.account, payload, decision, (claims or repeated) and 1 or 0}
end
if status == 'denied' then
  local decision = text_in(fields_of(KEYS[1]), 'decision')
  return {status, decision}
end
if status == 'claimed' then return {status, tonumber(r[4]) - now} end
local doubt = doubt_left(now, status, r[10])
if doubt then return {'claimed', doubt} end
return {status}
`,
  },
  postpone: {
    numberOfKeys: 1,
    lua: `--[[
  Ends a turn of telling a client, and says when the next one is.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] the turn that ends
  ARGV[3] ms until the next
  ARGV[4] how many attempts this turn was: 1, or 0 where nothing was sent
  ARGV[5] note
  Output  ms until the next turn, or false where that turn is not the present one
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'delivery', 'turn', 'attempts', 'due',
  'postponed')
if status_at(now, r[1], r[2], r[3], r[4]) == 'gone' or r[5] ~= 'waiting' then return false end
if r[9] == ARGV[2] then return math.max(0, tonumber(r[8]) - now) end
if r[6] ~= ARGV[2] then return false end
redis.call('HSET', KEYS[1], 'turn', r[6] + 1, 'attempts', r[7] + ARGV[4], 'due', now + tonumber(ARGV[3]),
  'note', ARGV[5], 'postponed', ARGV[2])
return tonumber(ARGV[3])
`,
  },
  prompt: {
    numberOfKeys: 1,
    lua: `--[[
  Reads where the prompting of a person stands.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  Output  {'gone'}, or {status, remaining ms, expires ms, client, account, payload, decision, delivery, turn, progress}
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
local now = clock(ARGV[1])
local r = fields_of(KEYS[1])
local status = status_at(now, r.status, r.expires, r.keep, r.lease)
if status == 'gone' or not r.prompt then return {'gone'} end
local payload, decision, progress = text_in(r, PAYLOAD), text_in(r, 'decision'), text_in(r, 'progress')
return {status, math.max(0, tonumber(r.expires) - now), tonumber(r.expires), r.client, r.account, payload, decision,
  r.delivery or false, tonumber(r.prompt), progress}
`,
  },
  read: {
    numberOfKeys: 1,
    lua: `--[[
  Reads a request.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  Output  {'gone'}, or {status, remaining ms, expires ms, client, account, payload, decision, delivery, prompt}
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
local now = clock(ARGV[1])
local r = fields_of(KEYS[1])
local status = status_at(now, r.status, r.expires, r.keep, r.lease)
if status == 'gone' then return {'gone'} end
local payload, decision = text_in(r, PAYLOAD), text_in(r, 'decision')
return {status, math.max(0, tonumber(r.expires) - now), tonumber(r.expires), r.client, r.account, payload, decision,
  r.delivery or false, r.prompt or false}
`,
  },
  release: {
    numberOfKeys: 2,
    lua: `--[[
  Gives a claim back, also a settled one whose tokens have not left.
  KEYS[1] the request
  KEYS[2] the answer that was to leave, where it was kept
  ARGV[1] clock offset in ms
  ARGV[2] the claim's token
  Output  1 if this call gave it back, else 0
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'claim')
local status = status_at(now, r[1], r[2], r[3], r[4])
if r[5] ~= ARGV[2] or (status ~= 'claimed' and status ~= 'redeemed') then return 0 end
redis.call('HSET', KEYS[1], 'status', 'approved')
redis.call('HDEL', KEYS[1], 'claim', 'lease', 'doubt')
redis.call('DEL', KEYS[2])
return 1
`,
  },
  reopen: {
    numberOfKeys: 2,
    lua: `--[[
  Lets a client be told again after it was given up, while the request lives.
  KEYS[1] the request
  KEYS[2] its callback
  ARGV[1] clock offset in ms
  Output  the turn to come, or false where there is nothing to tell
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'delivery', 'turn')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' or status == 'pending' or now >= tonumber(r[2]) then return false end
-- Its tokens are destroyed or about to be, though its callback may still be there.
if status == 'undeliverable' or redis.call('EXISTS', KEYS[2]) == 0 then return false end
if r[5] == 'waiting' then return tonumber(r[6]) end
if r[5] ~= 'failed' then return false end
redis.call('HSET', KEYS[1], 'delivery', 'waiting', 'turn', r[6] + 1, 'due', now)
return r[6] + 1
`,
  },
  reserve: {
    numberOfKeys: 1,
    lua: `--[[
  Takes a place among a client's pending requests.
  KEYS[1] the client's index, a sorted set of handles by expiry
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] lifetime in ms
  ARGV[4] how many places there are
  Output  'ok', or 'full'
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Lets a key live so many milliseconds at least.
local function outlive(key, time)
  if redis.call('PTTL', key) < time then redis.call('PEXPIRE', key, time) end
end
-- Takes a place among a client's pending requests, in an index of handles by expiry, unless there are so many.
local function reserve(now, index, handle, lifetime, places)
  if redis.call('ZSCORE', index, handle) then return 'ok' end
  if redis.call('ZCOUNT', index, '(' .. now, '+inf') >= tonumber(places) then return 'full' end
  -- The first write is one that Redis refuses while its memory is full: after another one it would take all of a script.
  redis.call('ZADD', index, now + tonumber(lifetime), handle)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  outlive(index, tonumber(lifetime))
  return 'ok'
end
return reserve(clock(ARGV[1]), KEYS[1], ARGV[2], ARGV[3], ARGV[4])
`,
  },
  schedule: {
    numberOfKeys: 1,
    lua: `--[[
  Notes that a request has to be looked at.
  KEYS[1] an index of what is to be looked at, a sorted set of handles by time
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] in how many ms from now
  ARGV[4] how long the index lives at least, in ms
  ARGV[5] 'first' to leave a handle that is there at its time, 'drop' to drop those whose time is over, which in this
          index nobody looks at any more, 'turn' to leave one that is looked at within ARGV[6], or ''
  ARGV[6] how soon a decision announces itself, in ms
  Output  'ok'
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
local now = clock(ARGV[1])
if ARGV[5] == 'drop' then redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now) end
local at = now + tonumber(ARGV[3])
local noted = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or nil)
local stays = noted and (ARGV[5] == 'first' or (ARGV[5] == 'turn' and noted <= math.min(at, now + tonumber(ARGV[6]))))
if not stays then redis.call('ZADD', KEYS[1], at, ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'ok'
`,
  },
  settle: {
    numberOfKeys: 1,
    lua: `--[[
  Ends a redemption, while its claim holds.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] the claim's token
  ARGV[3] how much of the lease must be left, in ms
  ARGV[4] how long the redemption is in doubt, in ms
  Output  1 if the request is redeemed by this claim, else 0
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'claim')
local status = status_at(now, r[1], r[2], r[3], r[4])
if r[5] ~= ARGV[2] then return 0 end
if status ~= 'redeemed' then
  if status ~= 'claimed' then return 0 end
  if tonumber(r[4]) - now < tonumber(ARGV[3]) then return 0 end
end
-- Also where it is redeemed: see decide.
redis.call('HSET', KEYS[1], 'status', 'redeemed', 'doubt', now + tonumber(ARGV[4]))
return 1
`,
  },
  status: {
    numberOfKeys: 1,
    lua: `--[[
  Tells where a request stands, without counting as a poll.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  Output  where it stands
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease')
return status_at(clock(ARGV[1]), r[1], r[2], r[3], r[4])
`,
  },
  told: {
    numberOfKeys: 1,
    lua: `--[[
  Ends the telling of a client.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] 'delivered' or 'failed'
  ARGV[3] what an approved request becomes by it, '' where its tokens are fetched
  ARGV[4] how many attempts the last turn was, 1 or 0
  ARGV[5] note
  ARGV[6] the turn that this counts in only, 0 for any
  Output  how the telling ended, 'waiting' where another turn is to come, or false where nobody was to be told
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'delivery', 'attempts', 'turn')
if status_at(clock(ARGV[1]), r[1], r[2], r[3], r[4]) == 'gone' then return false end
if r[5] ~= 'waiting' then return r[5] end
if ARGV[6] ~= '0' and ARGV[6] ~= r[7] then return 'waiting' end
redis.call('HSET', KEYS[1], 'delivery', ARGV[2], 'attempts', r[6] + ARGV[4], 'note', ARGV[5])
redis.call('HDEL', KEYS[1], 'due')
-- As it is written: what was delivered in the last moment of an approval stays delivered.
if ARGV[3] ~= '' and r[1] == 'approved' then redis.call('HSET', KEYS[1], 'status', ARGV[3]) end
return ARGV[2]
`,
  },
  unblock: {
    numberOfKeys: 2,
    lua: `--[[
  Forgets what an account refused a client, a block and what was not answered included.
  KEYS[1] what the account refused the client
  KEYS[2] the account's index
  ARGV[1] clock offset in ms
  ARGV[2] the client's digest
  Output  'ok'
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
-- The entries of a client in an account's index, of those that end between two times.
local function of_client(index, client, from, to)
  local entries = {}
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', index, from, to)) do
    if entry:sub(1, #client + 1) == client .. ':' then entries[#entries + 1] = entry end
  end
  return entries
end
redis.call('DEL', KEYS[1])
for _, entry in ipairs(of_client(KEYS[2], ARGV[2], '-inf', clock(ARGV[1]))) do redis.call('ZREM', KEYS[2], entry) end
return 'ok'
`,
  },
};
