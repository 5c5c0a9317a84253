--[[
  Counts what should have been taken some time ago.
  KEYS[1] an index of what is to be looked at
  ARGV[1] clock offset in ms
  ARGV[2] how long ago, in ms
  Output  how many
]]
--- @include "clock"
return redis.call('ZCOUNT', KEYS[1], '-inf', clock(ARGV[1]) - tonumber(ARGV[2]))
