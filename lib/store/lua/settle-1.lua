--[[
  Ends a redemption, while its claim holds.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] the claim's token
  Output  1 if the request is redeemed by this claim, else 0
]]
--- @include "clock"
--- @include "status"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'claim')
if r[5] ~= ARGV[2] then return 0 end
if r[1] == 'redeemed' then return 1 end
if status_at(now, r[1], r[2], r[3], r[4]) ~= 'claimed' then return 0 end
redis.call('HSET', KEYS[1], 'status', 'redeemed')
return 1
