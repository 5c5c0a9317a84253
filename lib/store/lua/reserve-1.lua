--[[
  Takes a place among a client's pending requests.
  KEYS[1] the client's index, a sorted set of handles by expiry
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] lifetime in ms
  ARGV[4] how many places there are
  Output  'ok', or 'full'
]]
--- @include "clock"
--- @include "outlive"
local now = clock(ARGV[1])
local lifetime = tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 'ok' end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
redis.call('ZADD', KEYS[1], now + lifetime, ARGV[2])
outlive(KEYS[1], lifetime)
return 'ok'
