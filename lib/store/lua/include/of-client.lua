-- The entries of a client in an account's index, of those that end between two times.
local function of_client(index, client, from, to)
  local entries = {}
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', index, from, to)) do
    if entry:sub(1, #client + 1) == client .. ':' then entries[#entries + 1] = entry end
  end
  return entries
end
