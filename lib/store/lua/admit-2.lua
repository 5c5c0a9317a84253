--[[
  Takes a place among an account's pending requests, and among those of the account and the client. A request that ended there without
  having left was not answered, and counts as a refusal.
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
--- @include "clock"
--- @include "outlive"
--- @include "of-client"
local now = clock(ARGV[1])
local lifetime = tonumber(ARGV[4])
-- What was not answered stays for as long as it counts.
local stays = ARGV[7] ~= '-1' and tonumber(ARGV[8]) or 0
local entry = ARGV[2] .. ':' .. ARGV[3]
local pending = '(' .. now
local function full(count, places) return places ~= '-1' and count >= tonumber(places) end
local function of_this(from, to) return #of_client(KEYS[1], ARGV[2], from, to) end

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - stays)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZSCORE', KEYS[1], entry) then return 'ok' end
if redis.call('ZSCORE', KEYS[2], '!') then return 'blocked' end
if full(redis.call('ZCARD', KEYS[2]) + of_this('-inf', now), ARGV[7]) then return 'refusals' end
if full(redis.call('ZCOUNT', KEYS[1], pending, '+inf'), ARGV[5]) then return 'account' end
if ARGV[6] ~= '-1' and full(of_this(pending, '+inf'), ARGV[6]) then return 'account_and_client' end
redis.call('ZADD', KEYS[1], now + lifetime, entry)
outlive(KEYS[1], lifetime + stays)
return 'ok'
