--[[
  Ends a redemption, while its claim holds.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] the claim's token
  ARGV[3] how much of the lease must be left, in ms
  ARGV[4] how long the redemption is in doubt, in ms
  Output  1 if the request is redeemed by this claim, else 0
]]
--- @include "clock"
--- @include "status"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'claim')
local status = status_at(now, r[1], r[2], r[3], r[4])
if r[5] ~= ARGV[2] then return 0 end
if status ~= 'redeemed' then
  if status ~= 'claimed' then return 0 end
  if tonumber(r[4]) - now < tonumber(ARGV[3]) then return 0 end
end
-- Also where it is redeemed: see decide.
redis.call('HSET', KEYS[1], 'status', 'redeemed', 'doubt', now + tonumber(ARGV[4]))
return 1
