--[[
  Tells where a request stands, without counting as a poll.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  Output  where it stands
]]
--- @include "clock"
--- @include "status"
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease')
return status_at(clock(ARGV[1]), r[1], r[2], r[3], r[4])
