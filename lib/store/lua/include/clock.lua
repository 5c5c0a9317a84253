-- Milliseconds by this server's clock, moved by what the caller's tests say.
local function clock(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(offset)
end
