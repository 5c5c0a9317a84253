--[[
  Takes a place among an account's pending requests, and among those of the account and the client. A request that ended there without
  having left was not answered, and counts as a refusal.
  KEYS[1] the account's index, a sorted set of handles by expiry
  KEYS[2] the index of the account and the client
  KEYS[3] what the account refused the client, a sorted set of handles by the time until which they count; '!' is a block
  ARGV[1] clock offset in ms
  ARGV[2] handle
  ARGV[3] lifetime in ms
  ARGV[4] how many places the account has, -1 for any number
  ARGV[5] how many places the account has for the client, -1 for any number
  ARGV[6] how many refusals there may be, -1 for any number
  ARGV[7] how long a refusal counts, in ms
  Output  'ok', or which limit is reached: 'blocked', 'refusals', 'account', 'account_and_client'
]]
--- @include "clock"
--- @include "outlive"
local now = clock(ARGV[1])
local lifetime, cooldown = tonumber(ARGV[3]), tonumber(ARGV[7])
local function full(count, places) return places ~= '-1' and count >= tonumber(places) end

if ARGV[6] ~= '-1' then
  local expired = redis.call('ZRANGEBYSCORE', KEYS[2], now - cooldown, now, 'WITHSCORES')
  for i = 1, #expired, 2 do redis.call('ZADD', KEYS[3], tonumber(expired[i + 1]) + cooldown, expired[i]) end
  if #expired > 0 then outlive(KEYS[3], cooldown) end
end
for i = 1, 3 do redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now) end
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 'ok' end
if redis.call('ZSCORE', KEYS[3], '!') then return 'blocked' end
if full(redis.call('ZCARD', KEYS[3]), ARGV[6]) then return 'refusals' end
if full(redis.call('ZCARD', KEYS[1]), ARGV[4]) then return 'account' end
if full(redis.call('ZCARD', KEYS[2]), ARGV[5]) then return 'account_and_client' end
redis.call('ZADD', KEYS[1], now + lifetime, ARGV[2])
outlive(KEYS[1], lifetime)
if ARGV[5] ~= '-1' or ARGV[6] ~= '-1' then
  redis.call('ZADD', KEYS[2], now + lifetime, ARGV[2])
  -- Longer than what it holds: what was not answered is counted when the client comes again.
  outlive(KEYS[2], lifetime + cooldown)
end
return 'ok'
