--[[
  Lists an account's pending requests.
  KEYS[1] the account's index
  ARGV[1] clock offset in ms
  Output  the entries of the index
]]
--- @include "clock"
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. clock(ARGV[1]), '+inf')
