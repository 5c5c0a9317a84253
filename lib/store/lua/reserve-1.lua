--[[
  Takes a place among an account's pending requests.
  KEYS[1] the account's index, a sorted set of handles by expiry
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] lifetime in ms
  ARGV[4] how many places there are, -1 for any number
  Output  'ok', or 'full'
]]
--- @include "clock"
local now = clock(ARGV[1])
local lifetime = tonumber(ARGV[3])
local places = tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 'ok' end
if places >= 0 and redis.call('ZCARD', KEYS[1]) >= places then return 'full' end
redis.call('ZADD', KEYS[1], now + lifetime, ARGV[2])
if redis.call('PTTL', KEYS[1]) < lifetime then redis.call('PEXPIRE', KEYS[1], lifetime) end
return 'ok'
