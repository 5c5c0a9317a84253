--[[
  Keeps the answer that leaves, while its redemption stands, of which there is no doubt then.
  KEYS[1] the request
  KEYS[2] the answer
  ARGV[1] clock offset in ms
  ARGV[2] the claim's token
  ARGV[3] the answer, sealed
  ARGV[4] for how many ms it is kept
  Output  1 where it is kept, else 0
]]
--- @include "clock"
local r = redis.call('HMGET', KEYS[1], 'status', 'claim')
if r[1] ~= 'redeemed' or r[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], 'sealed', ARGV[3], 'until', clock(ARGV[1]) + tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('HDEL', KEYS[1], 'doubt')
return 1
