-- Writes a new request, which nobody has polled or decided, and what its client is to be told with.
local function store(now, key, callback, given)
  local expires = now + tonumber(given.lifetime)
  local fields = {'status', 'pending', 'client', given.client, 'account', given.account, 'expires', expires,
    'keep', expires + tonumber(given.retention), 'interval', given.interval}
  local function add(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  add_text(add, PAYLOAD, given.payload)
  if given.turn ~= '0' then add('prompt', given.turn) end
  if given.callback ~= '' then
    add('delivery', 'waiting')
    add('attempts', 0)
    add('turn', 1)
    redis.call('HSET', callback, 'callback', given.callback)
    redis.call('PEXPIRE', callback, tonumber(given.lifetime) + tonumber(given.grace))
  end
  redis.call('HSET', key, unpack(fields))
  redis.call('PEXPIRE', key, tonumber(given.lifetime) + tonumber(given.retention))
end
