--[[
  Leaves the place of a request, and counts its refusal where it is one.
  KEYS[1] the account's index
  KEYS[2] what the account refused the client
  ARGV[1] clock offset in ms
  ARGV[2] the client's digest
  ARGV[3] handle
  ARGV[4] how long it counts as a refusal yet, in ms, 0 where it does not
  Output  'ok'
]]
--- @include "clock"
--- @include "outlive"
redis.call('ZREM', KEYS[1], ARGV[2] .. ':' .. ARGV[3])
if ARGV[4] ~= '0' then
  -- A repeat counts no longer than the first.
  redis.call('ZADD', KEYS[2], 'NX', clock(ARGV[1]) + tonumber(ARGV[4]), ARGV[3])
  outlive(KEYS[2], tonumber(ARGV[4]))
end
return 'ok'
