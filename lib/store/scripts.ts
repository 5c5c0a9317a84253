// Made by tools/build-lua.mjs from lib/store/lua: change it there.

/** A Lua script and the number of keys it touches. */
export interface Script {
  readonly numberOfKeys: number;
  readonly lua: string;
}

/** The name of a script. */
export type ScriptName = 'claim' | 'create' | 'decide' | 'poll' | 'read' | 'release' | 'reserve' | 'settle';

/** One script per state change, by name. */
export const scripts: Readonly<Record<ScriptName, Script>> = {
  claim: {
    numberOfKeys: 1,
    lua: `--[[
  Claims an approved request for one redemption.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] the claim's token
  ARGV[4] lease in ms
  Output  {'won'} {'claimed', ms left of another's lease}
          {'gone'} {'foreign'} {'pending'} {'redeemed'} {'denied'} {'cancelled'} {'expired'}
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
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'claim')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
if r[5] ~= ARGV[2] then return {'foreign'} end
if status == 'claimed' then
  if r[6] == ARGV[3] then return {'won'} end
  return {'claimed', tonumber(r[4]) - now}
end
if status ~= 'approved' then return {status} end
redis.call('HSET', KEYS[1], 'status', 'claimed', 'claim', ARGV[3], 'lease', now + tonumber(ARGV[4]))
return {'won'}
`,
  },
  create: {
    numberOfKeys: 1,
    lua: `--[[
  Stores a pending request.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] account
  ARGV[4] lifetime in ms
  ARGV[5] retention in ms
  ARGV[6] interval in ms
  ARGV[7] payload
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
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease')
if r[1] then return status_at(now, r[1], r[2], r[3], r[4]) == 'pending' and 'ok' or 'over' end
local expires = now + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 'status', 'pending', 'client', ARGV[2], 'account', ARGV[3], 'expires', expires,
  'keep', expires + tonumber(ARGV[5]), 'interval', ARGV[6], 'payload', ARGV[7])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[4]) + tonumber(ARGV[5]))
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
  Output  {'decided', client, account} {'conflict', status} {'forbidden'} {'gone'}
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
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'account', 'decided')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
if ARGV[2] ~= '' and ARGV[2] ~= '=' .. r[6] then return {'forbidden'} end
if r[7] ~= ARGV[5] then
  if status ~= 'pending' then return {'conflict', status} end
  redis.call('HSET', KEYS[1], 'status', ARGV[3], 'decision', ARGV[4], 'decided', ARGV[5])
end
return {'decided', r[5], r[6]}
`,
  },
  poll: {
    numberOfKeys: 1,
    lua: `--[[
  Answers a poll, and counts it against the interval while the request is pending.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] operation id
  ARGV[4] what a too early poll adds to the interval, in ms
  ARGV[5] how much too early a poll may come, in ms
  Output  {'gone'} {'foreign'} {'redeemed'} {'cancelled'} {'expired'}
          {'pending' or 'slow_down' or 'claimed', ms to wait}
          {'approved', ms of life left, account, payload, decision} {'denied', decision}
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
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'interval', 'next', 'poll', 'told')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
if r[5] ~= ARGV[2] then return {'foreign'} end
if status == 'pending' then
  -- A repeat; one that comes when the next poll is due is the next poll.
  if r[8] == ARGV[3] and now < tonumber(r[7]) then return {r[9], tonumber(r[7]) - now} end
  local interval, told = tonumber(r[6]), 'pending'
  if r[7] and now + tonumber(ARGV[5]) < tonumber(r[7]) then
    interval, told = interval + tonumber(ARGV[4]), 'slow_down'
  end
  redis.call('HSET', KEYS[1], 'interval', interval, 'next', now + interval, 'poll', ARGV[3], 'told', told)
  return {told, interval}
end
if status == 'approved' then
  local body = redis.call('HMGET', KEYS[1], 'account', 'payload', 'decision')
  return {status, tonumber(r[2]) - now, body[1], body[2], body[3]}
end
if status == 'denied' then return {status, redis.call('HGET', KEYS[1], 'decision')} end
if status == 'claimed' then return {status, tonumber(r[4]) - now} end
return {status}
`,
  },
  read: {
    numberOfKeys: 1,
    lua: `--[[
  Reads a request.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  Output  {'gone'}, or {status, remaining ms, expires ms, client, account, payload, decision}
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
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'account', 'payload', 'decision')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
return {status, math.max(0, tonumber(r[2]) - now), tonumber(r[2]), r[5], r[6], r[7], r[8]}
`,
  },
  release: {
    numberOfKeys: 1,
    lua: `--[[
  Gives a claim back, also a settled one whose tokens have not left.
  KEYS[1] the request
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
redis.call('HDEL', KEYS[1], 'claim', 'lease')
return 1
`,
  },
  reserve: {
    numberOfKeys: 1,
    lua: `--[[
  Takes a place among an account's pending requests.
  KEYS[1] the account's index, a sorted set of handles by expiry
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] lifetime in ms
  ARGV[4] how many places there are, -1 for any number
  Output  'ok', or 'full'
]]
-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
local now = clock(ARGV[1])
local lifetime = tonumber(ARGV[3])
local places = tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 'ok' end
if places >= 0 and redis.call('ZCARD', KEYS[1]) >= places then return 'full' end
redis.call('ZADD', KEYS[1], now + lifetime, ARGV[2])
if redis.call('PTTL', KEYS[1]) < lifetime then redis.call('PEXPIRE', KEYS[1], lifetime) end
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
if status == 'redeemed' then return 1 end
if status ~= 'claimed' then return 0 end
if tonumber(r[4]) - now < tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'status', 'redeemed')
return 1
`,
  },
};
