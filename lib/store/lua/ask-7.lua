--[[
  Takes the places of a request and stores it as pending, with all that is to be looked at later: in one step, where all keys lie on one server.
  KEYS[1] the request
  KEYS[2] its callback
  KEYS[3] the account's index
  KEYS[4] what the account refused the client
  KEYS[5] the client's index
  KEYS[6] the index of those whose clients are told
  KEYS[7] the index of those whose people are prompted
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] account
  ARGV[4] lifetime in ms
  ARGV[5] retention in ms
  ARGV[6] interval in ms
  ARGV[7] payload
  ARGV[8] callback, '' where the client polls
  ARGV[9] how much longer than the request the callback lives, in ms, 0 where nobody is told of its end
  ARGV[10] the turn in which its person is prompted first, 0 where nobody is
  ARGV[11] the client's digest
  ARGV[12] handle
  ARGV[13] how many places the client has, -1 for any number
  ARGV[14] how many places the account has, -1 for any number
  ARGV[15] how many places the account has for the client, -1 for any number
  ARGV[16] how many refusals there may be, -1 for any number
  ARGV[17] how long a refusal counts, in ms
  ARGV[18] in how many ms it is looked at whether its person was prompted
  ARGV[19] how long an index lives at least, in ms
  Output  'ok', or which limit is reached: 'client', 'blocked', 'refusals', 'account', 'account_and_client'
]]
--- @include "clock"
--- @include "outlive"
--- @include "of-client"
--- @include "reserve"
--- @include "admit"
--- @include "text"
--- @include "store"
--- @include "schedule"
-- A repeat.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'ok' end
local now = clock(ARGV[1])
local handle, lifetime, limited = ARGV[12], ARGV[4], ARGV[13] ~= '-1'
if limited and reserve(now, KEYS[5], handle, lifetime, ARGV[13]) == 'full' then return 'client' end
local admitted = admit(now, KEYS[3], KEYS[4], ARGV[11], handle, lifetime,
  {account = ARGV[14], pair = ARGV[15], refusals = ARGV[16], cooldown = ARGV[17]})
if admitted ~= 'ok' then
  if limited then redis.call('ZREM', KEYS[5], handle) end
  return admitted
end
store(now, KEYS[1], KEYS[2], {client = ARGV[2], account = ARGV[3], lifetime = lifetime, retention = ARGV[5],
  interval = ARGV[6], payload = ARGV[7], callback = ARGV[8], grace = ARGV[9], turn = ARGV[10]})
if ARGV[8] ~= '' and ARGV[9] ~= '0' then schedule(KEYS[6], handle, now + tonumber(lifetime), ARGV[19]) end
if ARGV[10] ~= '0' then schedule(KEYS[7], handle, now + tonumber(ARGV[18]), ARGV[19]) end
return 'ok'
