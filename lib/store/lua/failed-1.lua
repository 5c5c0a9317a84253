--[[
  Lists the handles that were given up, and drops those whose time is over.
  KEYS[1] the index of those given up, a sorted set of handles by the end of their time
  ARGV[1] clock offset in ms
  Output  the handles
]]
--- @include "clock"
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', clock(ARGV[1]))
return redis.call('ZRANGE', KEYS[1], 0, -1)
