--[[
  Ends a turn of telling a client, and says when the next one is.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] the turn that ends
  ARGV[3] ms until the next
  ARGV[4] how many attempts this turn was: 1, or 0 where nothing was sent
  ARGV[5] note
  Output  ms until the next turn, or false where that turn is not the present one
]]
--- @include "clock"
--- @include "status"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'delivery', 'turn', 'attempts', 'due',
  'postponed')
if status_at(now, r[1], r[2], r[3], r[4]) == 'gone' or r[5] ~= 'waiting' then return false end
if r[9] == ARGV[2] then return math.max(0, tonumber(r[8]) - now) end
if r[6] ~= ARGV[2] then return false end
redis.call('HSET', KEYS[1], 'turn', r[6] + 1, 'attempts', r[7] + ARGV[4], 'due', now + tonumber(ARGV[3]),
  'note', ARGV[5], 'postponed', ARGV[2])
return tonumber(ARGV[3])
