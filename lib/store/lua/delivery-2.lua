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
local r = fields_of(KEYS[1])
local status = status_at(now, r.status, r.expires, r.keep, r.lease)
if status == 'gone' or not r.delivery then return {'gone'} end
local c = redis.call('HMGET', KEYS[2], 'callback', 'body')
local payload, decision = text_in(r, PAYLOAD), text_in(r, 'decision')
return {status, math.max(0, tonumber(r.expires) - now), tonumber(r.expires), r.client, r.account, payload, decision,
  r.delivery, tonumber(r.attempts), tonumber(r.turn), tonumber(r.due or 0), r.note or false, c[1], c[2], r.prompt or false}
