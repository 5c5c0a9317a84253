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
--- @include "store"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease')
if r[1] then return status_at(now, r[1], r[2], r[3], r[4]) == 'pending' and 'ok' or 'over' end
store(now, KEYS[1], KEYS[2], {client = ARGV[2], account = ARGV[3], lifetime = ARGV[4], retention = ARGV[5],
  interval = ARGV[6], payload = ARGV[7], callback = ARGV[8], grace = ARGV[9], turn = ARGV[10]})
return 'ok'
