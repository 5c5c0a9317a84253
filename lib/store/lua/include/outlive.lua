-- Lets a key live so many milliseconds at least.
local function outlive(key, time)
  if redis.call('PTTL', key) < time then redis.call('PEXPIRE', key, time) end
end
