--[[
  Takes a place among a client's pending requests.
  KEYS[1] the client's index, a sorted set of handles by expiry
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] lifetime in ms
  ARGV[4] how many places there are
  Output  'ok', or 'full'
]]
--- @include "clock"
--- @include "outlive"
--- @include "reserve"
return reserve(clock(ARGV[1]), KEYS[1], ARGV[2], ARGV[3], ARGV[4])
