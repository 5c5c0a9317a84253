--[[
  Forgets what an account refused a client, a block and what was not answered included.
  KEYS[1] what the account refused the client
  KEYS[2] the account's index
  ARGV[1] clock offset in ms
  ARGV[2] the client's digest
  Output  'ok'
]]
--- @include "clock"
--- @include "of-client"
redis.call('DEL', KEYS[1])
for _, entry in ipairs(of_client(KEYS[2], ARGV[2], '-inf', clock(ARGV[1]))) do redis.call('ZREM', KEYS[2], entry) end
return 'ok'
