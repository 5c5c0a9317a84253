--[[
  Answers a poll, and counts it against the interval while the request is pending. One that is approved it may claim, unless its client is told of it.
  KEYS[1] the request
  ARGV[1] clock offset in ms
  ARGV[2] client
  ARGV[3] operation id
  ARGV[4] what a too early poll adds to the interval, in ms
  ARGV[5] how much too early a poll may come, in ms
  ARGV[6] the token of the claim, '' where it makes none
  ARGV[7] the claim's lease in ms
  Output  {'gone'} {'foreign'} {'redeemed'} {'delivered'} {'undeliverable'} {'cancelled'} {'expired'}
          {'pending' or 'slow_down', ms to wait, ms of life left} {'claimed', ms to wait}
          {'approved', ms of life left, account, payload, decision, 1 if this poll has the claim, else 0} {'denied', decision}
]]
--- @include "clock"
--- @include "status"
--- @include "doubt"
--- @include "text"
local now = clock(ARGV[1])
local r = redis.call('HMGET', KEYS[1], 'status', 'expires', 'keep', 'lease', 'client', 'interval', 'next', 'poll', 'slowed', 'doubt')
local status = status_at(now, r[1], r[2], r[3], r[4])
if status == 'gone' then return {'gone'} end
if r[5] ~= ARGV[2] then return {'foreign'} end
if status == 'pending' then
  -- A repeat; one that comes when the next poll is due is the next poll.
  if r[8] == ARGV[3] and now < tonumber(r[7]) then
    return {r[9] and 'slow_down' or 'pending', tonumber(r[7]) - now, tonumber(r[2]) - now}
  end
  local interval, told = tonumber(r[6]), 'pending'
  -- A next poll that is further off than an interval is no judgement of this client: the clock went back.
  if r[7] and now + tonumber(ARGV[5]) < tonumber(r[7]) and tonumber(r[7]) <= now + interval then
    interval, told = interval + tonumber(ARGV[4]), 'slow_down'
    redis.call('HSET', KEYS[1], 'interval', interval, 'slowed', 1)
  elseif r[9] then
    redis.call('HDEL', KEYS[1], 'slowed')
  end
  redis.call('HSET', KEYS[1], 'next', now + interval, 'poll', ARGV[3])
  return {told, interval, tonumber(r[2]) - now}
end
local claims = ARGV[6] ~= ''
local repeated = claims and status == 'claimed' and redis.call('HGET', KEYS[1], 'claim') == ARGV[6]
if status == 'approved' or repeated then
  local fields = fields_of(KEYS[1])
  local payload, decision = text_in(fields, PAYLOAD), text_in(fields, 'decision')
  -- What a client is told of may be pushed to it, and is not redeemed then.
  claims = claims and not fields.delivery
  if claims and not repeated then
    redis.call('HSET', KEYS[1], 'status', 'claimed', 'claim', ARGV[6], 'lease', now + tonumber(ARGV[7]))
  end
  return {'approved', tonumber(r[2]) - now, fields.account, payload, decision, (claims or repeated) and 1 or 0}
end
if status == 'denied' then
  local decision = text_in(fields_of(KEYS[1]), 'decision')
  return {status, decision}
end
if status == 'claimed' then return {status, tonumber(r[4]) - now} end
local doubt = doubt_left(now, status, r[10])
if doubt then return {'claimed', doubt} end
return {status}
