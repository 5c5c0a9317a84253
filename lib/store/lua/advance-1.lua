--[[
  Ends a turn of prompting a person, and says when the next one is.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] the turn that ends
  ARGV[3] ms until the next
  ARGV[4] progress
  ARGV[5] operation id
  Output  ms until the next turn, -1 for a repeat that the next turn has ended before, or false where that turn is
          not the present one
]]
--- @include "clock"
--- @include "status"
--- @include "text"
local now = clock(ARGV[1])
local ended_by = 'advanced' .. ARGV[2]
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'prompt', ended_by, 'nextprompt')
if status_at(now, r[1], r[2], r[3], r[4]) == 'gone' or not r[5] then return false end
if r[6] == ARGV[5] then
  if tonumber(r[5]) ~= ARGV[2] + 1 then return -1 end
  return math.max(0, tonumber(r[7]) - now)
end
if r[5] ~= ARGV[2] then return false end
redis.call('HSET', KEYS[1], 'prompt', r[5] + 1, ended_by, ARGV[5], 'nextprompt', now + tonumber(ARGV[3]))
write_text(KEYS[1], 'progress', ARGV[4])
return tonumber(ARGV[3])
