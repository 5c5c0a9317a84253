-- Takes a place among a client's pending requests, in an index of handles by expiry, unless there are so many.
local function reserve(now, index, handle, lifetime, places)
  if redis.call('ZSCORE', index, handle) then return 'ok' end
  if redis.call('ZCOUNT', index, '(' .. now, '+inf') >= tonumber(places) then return 'full' end
  -- The first write is one that Redis refuses while its memory is full: after another one it would take all of a script.
  redis.call('ZADD', index, now + tonumber(lifetime), handle)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  outlive(index, tonumber(lifetime))
  return 'ok'
end
