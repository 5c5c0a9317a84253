--[[
  Counts a guess of a user code as a wrong one, before it is looked at.
  KEYS[1] the guesses for the account, a sorted set of operation ids by the time until which they count
  KEYS[2] those of them that the client made
  ARGV[1] clock offset in ms
  ARGV[2] operation id
  ARGV[3] how long it counts, in ms
  ARGV[4] how many the account stands
  ARGV[5] how many it stands from the client
  Output  1, or 0 where there are too many
]]
--- @include "clock"
--- @include "outlive"
local now = clock(ARGV[1])
for i = 1, 2 do redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now) end
if redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 1 end
for i = 1, 2 do if redis.call('ZCARD', KEYS[i]) >= tonumber(ARGV[3 + i]) then return 0 end end
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], now + tonumber(ARGV[3]), ARGV[2])
  outlive(KEYS[i], tonumber(ARGV[3]))
end
return 1
