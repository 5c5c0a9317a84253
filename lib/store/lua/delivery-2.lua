--[[
  Reads where the telling of a client stands.
  KEYS[1] the request
  KEYS[2] its callback
  ARGV[1] clock offset in ms
  Output  {'gone'}, or {status, remaining ms, expires ms, client, account, payload, decision,
          delivery, attempts, turn, due ms, note, callback, body, prompt}
]]
--- @include "clock"
--- @include "status"
--- @include "text"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'account', 'delivery',
  'attempts', 'turn', 'due', 'note', 'prompt')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' or not r[7] then return {'gone'} end
local c = redis.call('HMGET', KEYS[2], 'callback', 'body')
local payload, decision = read_text(KEYS[1], PAYLOAD), read_text(KEYS[1], 'decision')
return {status, math.max(0, tonumber(r[2]) - now), tonumber(r[2]), r[5], r[6], payload, decision,
  r[7], tonumber(r[8]), tonumber(r[9]), tonumber(r[10] or 0), r[11], c[1], c[2], r[12]}
