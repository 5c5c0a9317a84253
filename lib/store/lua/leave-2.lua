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
--- @include "leave"
leave(clock(ARGV[1]), KEYS[1], KEYS[2], ARGV[2], ARGV[3], tonumber(ARGV[4]))
return 'ok'
