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
local r = fields_of(KEYS[1])
local status = status_at(now, r.status, r.expires, r.keep, r.lease)
if status == 'gone' or not r.prompt then return {'gone'} end
local payload, decision, progress = text_in(r, PAYLOAD), text_in(r, 'decision'), text_in(r, 'progress')
return {status, math.max(0, tonumber(r.expires) - now), tonumber(r.expires), r.client, r.account, payload, decision,
  r.delivery or false, tonumber(r.prompt), progress}
