--[[
  Decides a pending request: the first decision wins.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] '=' and the account that decides, '' where the server withdraws the request
  ARGV[3] the status to come to
  ARGV[4] decision
  ARGV[5] operation id
  Output  {'decided', client, account, ms since} {'conflict', status} {'forbidden'} {'gone'}
]]
--- @include "clock"
--- @include "status"
--- @include "text"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'account', 'decided',
  'decidedat')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
if ARGV[2] ~= '' and ARGV[2] ~= '=' .. r[6] then return {'forbidden'} end
local since = now - tonumber(r[8] or now)
if r[7] == ARGV[5] then
  -- Who waits for replicas waits for the last write of its connection, and a repeat may have come over another one: so it writes, too.
  redis.call('HSET', KEYS[1], 'decided', ARGV[5])
else
  if status ~= 'pending' then return {'conflict', status} end
  redis.call('HSET', KEYS[1], 'status', ARGV[3], 'decided', ARGV[5], 'decidedat', now)
  write_text(KEYS[1], 'decision', ARGV[4])
end
return {'decided', r[5], r[6], since}
