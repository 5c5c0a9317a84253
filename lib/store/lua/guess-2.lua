--[[
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
--- @include "clock"
--- @include "outlive"
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
