-- Takes a place among an account's pending requests, or says which limit is reached. A request that ended there without having left was not
-- answered, and counts as a refusal. Limits are -1 where there is none.
local function admit(now, index, refused, client, handle, lifetime, limits)
  local entry = client .. ':' .. handle
  -- What was not answered stays for as long as it counts.
  local stays = limits.refusals ~= '-1' and tonumber(limits.cooldown) or 0
  local yet = '(' .. now
  local function full(count, places) return places ~= '-1' and count >= tonumber(places) end
  local function of_this(from, to) return #of_client(index, client, from, to) end

  -- Nearly everybody is asked by nobody else, and has refused nothing.
  local known = redis.call('EXISTS', index, refused) > 0
  if known then
    if redis.call('ZSCORE', index, entry) then return 'ok' end
    local blocked = redis.call('ZSCORE', refused, '!')
    if blocked and tonumber(blocked) > now then return 'blocked' end
    local unanswered = of_this('(' .. now - stays, now)
    if full(redis.call('ZCOUNT', refused, yet, '+inf') + unanswered, limits.refusals) then return 'refusals' end
    if full(redis.call('ZCOUNT', index, yet, '+inf'), limits.account) then return 'account' end
    if limits.pair ~= '-1' and full(of_this(yet, '+inf'), limits.pair) then return 'account_and_client' end
  end
  -- See reserve.
  redis.call('ZADD', index, now + tonumber(lifetime), entry)
  if known then
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now - stays)
    redis.call('ZREMRANGEBYSCORE', refused, '-inf', now)
  end
  outlive(index, tonumber(lifetime) + stays)
  return 'ok'
end
