--[[
  Decides a pending request: the first decision wins.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] '=' and the account that decides, '' where the server withdraws the request
  ARGV[3] the status to come to
  ARGV[4] decision
  ARGV[5] operation id
  Output  {'decided', ms since} {'conflict', status} {'forbidden'} {'gone'}
]]
--- @include "clock"
--- @include "status"
--- @include "text"
--- @include "decide"
return decide(clock(ARGV[1]), KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
