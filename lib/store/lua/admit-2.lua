--[[
  Takes a place among an account's pending requests, and among those of the account and the client.
  KEYS[1] the account's index, a sorted set of the client's digest, ':' and the handle, by expiry
  KEYS[2] what the account refused the client, a sorted set of handles by the time until which they count; '!' is a block
  ARGV[1] clock offset in ms
  ARGV[2] the client's digest
  ARGV[3] handle
  ARGV[4] lifetime in ms
  ARGV[5] how many places the account has, -1 for any number
  ARGV[6] how many places the account has for the client, -1 for any number
  ARGV[7] how many refusals there may be, -1 for any number
  ARGV[8] how long a refusal counts, in ms
  Output  'ok', or which limit is reached: 'blocked', 'refusals', 'account', 'account_and_client'
]]
--- @include "clock"
--- @include "outlive"
--- @include "of-client"
--- @include "admit"
local limits = {account = ARGV[5], pair = ARGV[6], refusals = ARGV[7], cooldown = ARGV[8]}
return admit(clock(ARGV[1]), KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4], limits)
