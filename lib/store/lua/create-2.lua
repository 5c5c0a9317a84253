--[[
  Stores a pending request, and what its client is to be told with where it is told.
  KEYS[1] the request
  KEYS[2] its callback
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] account
  ARGV[4] lifetime in ms
  ARGV[5] retention in ms
  ARGV[6] interval in ms
  ARGV[7] payload
  ARGV[8] callback, '' where the client polls
  ARGV[9] how much longer than the request the callback lives, in ms
  ARGV[10] the turn in which its person is prompted first, 0 where nobody is
  Output  'ok', or 'over' where it was stored before and is not pending any more
]]
--- @include "clock"
--- @include "status"
--- @include "text"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease')
if r[1] then return status_at(now, r[1], r[2], r[3], r[4]) == 'pending' and 'ok' or 'over' end
local expires = now + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 'status', 'pending', 'client', ARGV[2], 'account', ARGV[3], 'expires', expires,
  'keep', expires + tonumber(ARGV[5]), 'interval', ARGV[6])
write_text(KEYS[1], PAYLOAD, ARGV[7])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[4]) + tonumber(ARGV[5]))
if ARGV[10] ~= '0' then redis.call('HSET', KEYS[1], 'prompt', ARGV[10]) end
if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[1], 'delivery', 'waiting', 'attempts', 0, 'turn', 1)
  redis.call('HSET', KEYS[2], 'callback', ARGV[8])
  redis.call('PEXPIRE', KEYS[2], tonumber(ARGV[4]) + tonumber(ARGV[9]))
end
return 'ok'
