-- Leaves the place of a request among those of its account, and counts its refusal for so many milliseconds yet.
local function leave(now, index, refused, client, handle, counts)
  redis.call('ZREM', index, client .. ':' .. handle)
  if counts <= 0 then return end
  -- A repeat counts no longer than the first.
  redis.call('ZADD', refused, 'NX', now + counts, handle)
  outlive(refused, counts)
end
