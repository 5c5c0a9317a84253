--[[
  Notes that a request has to be looked at.
  KEYS[1] an index of what is to be looked at, a sorted set of handles by time
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] in how many ms from now
  ARGV[4] how long the index lives at least, in ms
  ARGV[5] 'first' to leave a handle that is there at its time, 'drop' to drop those whose time is over, which in this
          index nobody looks at any more, or ''
  Output  'ok'
]]
--- @include "clock"
local now = clock(ARGV[1])
if ARGV[5] == 'drop' then redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now) end
if ARGV[5] ~= 'first' or not redis.call('ZSCORE', KEYS[1], ARGV[2]) then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'ok'
