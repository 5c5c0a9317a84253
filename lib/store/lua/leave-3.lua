--[[
  Leaves the places of a request, and counts its refusal where it is one.
  KEYS[1] the account's index
  KEYS[2] the index of the account and the client
  KEYS[3] what the account refused the client
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] how long it counts as a refusal yet, in ms, 0 where it does not
  Output  'ok'
]]
--- @include "clock"
--- @include "outlive"
redis.call('ZREM', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[2])
if ARGV[3] ~= '0' then
  -- A repeat counts no longer than the first.
  redis.call('ZADD', KEYS[3], 'NX', clock(ARGV[1]) + tonumber(ARGV[3]), ARGV[2])
  outlive(KEYS[3], tonumber(ARGV[3]))
end
return 'ok'
