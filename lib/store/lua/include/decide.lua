-- Decides a pending request: the first decision wins, and a repeat of it hears what the first did.
local function decide(now, key, decider, verdict, decision, operation)
  local r = redis.call('HMGET', key, 'status', 'expires', 'keep', 'lease', 'account', 'decided', 'decidedat')
  local status = status_at(now, r[1], r[2], r[3], r[4])
  if status == 'gone' then return {'gone'} end
  if decider ~= '' and decider ~= '=' .. r[5] then return {'forbidden'} end
  if r[6] == operation then
    -- Who waits for replicas waits for the last write of its connection, and a repeat may have come over another one: so it writes, too.
    redis.call('HSET', key, 'decided', operation)
    return {'decided', now - tonumber(r[7])}
  end
  if status ~= 'pending' then return {'conflict', status} end
  redis.call('HSET', key, 'status', verdict, 'decided', operation, 'decidedat', now)
  write_text(key, 'decision', decision)
  return {'decided', 0}
end
