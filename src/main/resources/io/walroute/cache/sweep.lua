-- Removes those of the given entries (KEYS from 4 on) that are older than the truncation. Returns how many.
local count = 0
for i = 4, #KEYS do
  -- What isn't a string, or has no version, is none of ours: others may use this Redis too.
  if redis.call('TYPE', KEYS[i]).ok == 'string' then
    local present = entry_version(KEYS[i])
    if present ~= '' and present < version then count = count + redis.call('DEL', KEYS[i]) end
  end
end
return count
