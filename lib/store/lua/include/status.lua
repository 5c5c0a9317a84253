-- Where a request stands now: the twin of statusAt in lifecycle.ts.
local function status_at(now, status, expires, keep, lease)
  if not status or now >= tonumber(keep) then return 'gone' end
  if status == 'claimed' and now >= tonumber(lease) then status = 'approved' end
  if now >= tonumber(expires) and (status == 'pending' or status == 'approved') then return 'expired' end
  return status
end
