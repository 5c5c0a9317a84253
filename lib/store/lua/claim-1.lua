--[[
  Claims an approved request for one redemption.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] the claim's token
  ARGV[4] lease in ms
  Output  {'won'} {'claimed', ms to wait for another's claim}
          {'gone'} {'foreign'} {'pending'} {'redeemed'} {'delivered'} {'undeliverable'} {'denied'} {'cancelled'}
          {'expired'}
]]
--- @include "clock"
--- @include "status"
--- @include "doubt"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'claim', 'doubt')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
if r[5] ~= ARGV[2] then return {'foreign'} end
if status == 'claimed' then
  if r[6] ~= ARGV[3] then return {'claimed', tonumber(r[4]) - now} end
  redis.call('HSET', KEYS[1], 'claim', ARGV[3]) -- See decide.
  return {'won'}
end
local doubt = doubt_left(now, status, r[7])
if doubt then return {'claimed', doubt} end
if status ~= 'approved' then return {status} end
redis.call('HSET', KEYS[1], 'status', 'claimed', 'claim', ARGV[3], 'lease', now + tonumber(ARGV[4]))
return {'won'}
