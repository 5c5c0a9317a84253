--[[
  Gives a claim back, also a settled one whose tokens have not left.
  KEYS[1] the request
  KEYS[2] the answer that was to leave, where it was kept
  ARGV[1] clock offset in ms
  ARGV[2] the claim's token
  Output  1 if this call gave it back, else 0
]]
--- @include "clock"
--- @include "status"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'claim')
local status = status_at(now, r[1], r[2], r[3], r[4])
if r[5] ~= ARGV[2] or (status ~= 'claimed' and status ~= 'redeemed') then return 0 end
redis.call('HSET', KEYS[1], 'status', 'approved')
redis.call('HDEL', KEYS[1], 'claim', 'lease', 'doubt')
redis.call('DEL', KEYS[2])
return 1
