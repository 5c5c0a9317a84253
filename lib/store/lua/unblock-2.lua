--[[
  Forgets what an account refused a client, a block and what was not answered included.
  KEYS[1] what the account refused the client
  KEYS[2] the index of the account and the client, a sorted set of handles by expiry
  ARGV[1] clock offset in ms
  Output  'ok'
]]
--- @include "clock"
redis.call('DEL', KEYS[1])
-- What ended there is counted when the client comes again.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', clock(ARGV[1]))
return 'ok'
