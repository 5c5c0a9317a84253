--[[
  Reads a request.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  Output  {'gone'}, or {status, remaining ms, expires ms, client, account, payload, decision, delivery, prompt}
]]
--- @include "clock"
--- @include "status"
--- @include "text"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'account', 'delivery',
  'prompt')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
local payload, decision = read_text(KEYS[1], PAYLOAD), read_text(KEYS[1], 'decision')
return {status, math.max(0, tonumber(r[2]) - now), tonumber(r[2]), r[5], r[6], payload, decision, r[7], r[8]}
