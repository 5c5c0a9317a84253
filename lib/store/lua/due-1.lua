--[[
  Takes the handles whose time has come, so that nobody else takes them for a while.
  KEYS[1] an index of what is to be looked at
  ARGV[1] clock offset in ms
  ARGV[2] how many at most
  ARGV[3] for how many ms they are taken
  Output  the handles
]]
--- @include "clock"
local now = clock(ARGV[1])
local handles = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, handle in ipairs(handles) do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), handle) end
return handles
