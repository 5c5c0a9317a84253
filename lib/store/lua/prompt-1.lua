--[[
  Reads where the prompting of a person stands.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  Output  {'gone'}, or {status, remaining ms, expires ms, client, account, payload, decision, delivery, turn, progress}
]]
--- @include "clock"
--- @include "status"
--- @include "text"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'account', 'delivery',
  'prompt')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' or not r[8] then return {'gone'} end
local payload, decision = read_text(KEYS[1], PAYLOAD), read_text(KEYS[1], 'decision')
local progress = read_text(KEYS[1], 'progress')
return {status, math.max(0, tonumber(r[2]) - now), tonumber(r[2]), r[5], r[6], payload, decision, r[7], tonumber(r[8]),
  progress}
