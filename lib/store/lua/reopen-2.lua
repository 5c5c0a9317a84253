--[[
  Lets a client be told again after it was given up, while the request lives.
  KEYS[1] the request
  KEYS[2] its callback
  ARGV[1] clock offset in ms
  Output  the turn to come, or false where there is nothing to tell
]]
--- @include "clock"
--- @include "status"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'delivery', 'turn')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' or status == 'pending' or now >= tonumber(r[2]) then return false end
-- Its tokens are destroyed or about to be, though its callback may still be there.
if status == 'undeliverable' or redis.call('EXISTS', KEYS[2]) == 0 then return false end
if r[5] == 'waiting' then return tonumber(r[6]) end
if r[5] ~= 'failed' then return false end
redis.call('HSET', KEYS[1], 'delivery', 'waiting', 'turn', r[6] + 1, 'due', now)
return r[6] + 1
