--[[
  Reads the answer that has left to whoever redeemed a request.
  KEYS[1] the answer
  ARGV[1] clock offset in ms
  Output  the answer, sealed, or false where none is kept
]]
--- @include "clock"
local r = redis.call('HMGET', KEYS[1], 'sealed', 'until')
if not r[1] or clock(ARGV[1]) >= tonumber(r[2]) then return false end
return r[1]
