-- Removes those of the given entries (KEYS from 4 on) that are older than ARGV[1], and keeps ARGV[3] of each, an older version:
-- what was changed before must not come back, a row that is read again must. Returns how many.
local before, count = version, 0
version = ARGV[3]
for i = 4, #KEYS do
  -- What isn't a string, or has no version, is none of ours: others may use this Redis too.
  if redis.call('TYPE', KEYS[i]).ok == 'string' then
    local present = entry_version(KEYS[i])
    if present ~= '' and present < before then
      redis.call('DEL', KEYS[i])
      remember(KEYS[i])
      count = count + 1
    end
  end
end
return count
