--[[
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
--- @include "clock"
local now = clock(ARGV[1])
if ARGV[5] == 'drop' then redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now) end
local at = now + tonumber(ARGV[3])
local noted = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or nil)
local stays = noted and (ARGV[5] == 'first' or (ARGV[5] == 'turn' and noted <= math.min(at, now + tonumber(ARGV[6]))))
if not stays then redis.call('ZADD', KEYS[1], at, ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'ok'
