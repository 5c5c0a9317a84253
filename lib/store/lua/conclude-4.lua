--[[
  Decides a pending request and leaves its places: in one step, where all keys lie on one server.
  KEYS[1] the request
  KEYS[2] the account's index
  KEYS[3] what the account refused the client
  KEYS[4] the client's index
  ARGV[1] clock offset in ms
  ARGV[2] '=' and the account that decides, '' where the server withdraws the request
  ARGV[3] the status to come to
  ARGV[4] decision
  ARGV[5] operation id
  ARGV[6] the client's digest
  ARGV[7] handle
  ARGV[8] how long it counts as a refusal, in ms, 0 where it does not
  Output  {'decided', ms since, 1 if the places are left, else 0} {'conflict', status} {'forbidden'} {'gone'}
]]
--- @include "clock"
--- @include "status"
--- @include "text"
--- @include "outlive"
--- @include "decide"
--- @include "leave"
local now = clock(ARGV[1])
local told = decide(now, KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
if told[1] == 'decided' then
  -- A decision that was written holds, whatever becomes of its places.
  local left = pcall(function()
    leave(now, KEYS[2], KEYS[3], ARGV[6], ARGV[7], tonumber(ARGV[8]) - told[2])
    redis.call('ZREM', KEYS[4], ARGV[7])
  end)
  told[3] = left and 1 or 0
end
return told
