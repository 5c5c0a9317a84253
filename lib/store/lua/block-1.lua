--[[
  Lets no request of a client for an account in. Of two blocks the one that lasts longer stands.
  KEYS[1] what the account refused the client
  ARGV[1] clock offset in ms
  ARGV[2] for how many ms
  Output  'ok'
]]
--- @include "clock"
--- @include "outlive"
redis.call('ZADD', KEYS[1], 'GT', clock(ARGV[1]) + tonumber(ARGV[2]), '!')
outlive(KEYS[1], tonumber(ARGV[2]))
return 'ok'
