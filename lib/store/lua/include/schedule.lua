-- Notes in an index when a request has to be looked at; the index lives so long at least.
local function schedule(index, handle, at, life)
  redis.call('ZADD', index, at, handle)
  redis.call('PEXPIRE', index, life)
end
