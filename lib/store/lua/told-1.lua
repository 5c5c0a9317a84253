--[[
  Ends the telling of a client.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] 'delivered' or 'failed'
  ARGV[3] what an approved request becomes by it, '' where its tokens are fetched
  ARGV[4] how many attempts the last turn was, 1 or 0
  ARGV[5] note
  ARGV[6] the turn that this counts in only, 0 for any
  Output  how the telling ended, 'waiting' where another turn is to come, or false where nobody was to be told
]]
--- @include "clock"
--- @include "status"
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'delivery', 'attempts', 'turn')
if status_at(clock(ARGV[1]), r[1], r[2], r[3], r[4]) == 'gone' then return false end
if r[5] ~= 'waiting' then return r[5] end
if ARGV[6] ~= '0' and ARGV[6] ~= r[7] then return 'waiting' end
redis.call('HSET', KEYS[1], 'delivery', ARGV[2], 'attempts', r[6] + ARGV[4], 'note', ARGV[5])
redis.call('HDEL', KEYS[1], 'due')
-- As it is written: what was delivered in the last moment of an approval stays delivered.
if ARGV[3] ~= '' and r[1] == 'approved' then redis.call('HSET', KEYS[1], 'status', ARGV[3]) end
return ARGV[2]
