--[[
  Uses up what can be used once.
  KEYS[1] the thing, a hash of who used it, and until when that is remembered
  ARGV[1] clock offset in ms
  ARGV[2] operation id
  ARGV[3] for how many ms it is remembered
  Output  1 where it was used by this operation, else 0
]]
--- @include "clock"
local now = clock(ARGV[1])
local used = redis.call('HMGET', KEYS[1], 'by', 'until')
if used[1] and now < tonumber(used[2]) then return used[1] == ARGV[2] and 1 or 0 end
redis.call('HSET', KEYS[1], 'by', ARGV[2], 'until', now + tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
