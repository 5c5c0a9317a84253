--[[
  Reads a request.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  Output  {'gone'}, or {status, remaining ms, expires ms, client, account, payload, decision, delivery, prompt}
]]
--- @include "clock"
--- @include "status"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'account', 'payload', 'decision',
  'delivery', 'prompt')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
return {status, math.max(0, tonumber(r[2]) - now), tonumber(r[2]), r[5], r[6], r[7], r[8], r[9], r[10]}
