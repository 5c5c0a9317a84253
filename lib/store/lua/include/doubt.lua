-- How long whoever asks for a redeemed request has to wait while it may be given back, or false: the twin of doubtLeft in lifecycle.ts.
local function doubt_left(now, status, doubt)
  if status ~= 'redeemed' or not doubt then return false end
  local left = tonumber(doubt) - now
  return left > 0 and left <= 60000 and math.min(left, 1000)
end
