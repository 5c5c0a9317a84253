--[[
  Keeps the body of a push: the first one stands.
  KEYS[1] the request
  KEYS[2] its callback
  ARGV[1] clock offset in ms
  ARGV[2] body
  ARGV[3] its mark: of two that are kept at a time it says whether they are the same, which encrypted ones do not
  Output  the body that stands, or false where nobody is to be told any more
]]
--- @include "clock"
--- @include "status"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'delivery', 'kept')
if status_at(now, r[1], r[2], r[3], r[4]) == 'gone' then return false end
-- A repeat of the one that was delivered must not be told that it is of no use: its tokens are with the client.
if r[5] == 'delivered' and r[6] == ARGV[3] then return ARGV[2] end
if r[5] ~= 'waiting' then return false end
local c = redis.call('HMGET', KEYS[2], 'callback', 'body')
if c[2] then
  redis.call('HSET', KEYS[2], 'body', c[2]) -- See decide.
  return c[2]
end
if not c[1] then return false end
redis.call('HSET', KEYS[1], 'kept', ARGV[3])
redis.call('HSET', KEYS[2], 'body', ARGV[2])
-- Until the tokens in it are delivered or revoked, which may be after the request's end.
redis.call('PEXPIRE', KEYS[2], tonumber(r[3]) - now)
return ARGV[2]
