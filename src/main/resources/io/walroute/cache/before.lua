-- The entry that a row with left-out columns can be completed from.
-- Returns {1} if the cache knows a later or the same change, else {0, entry}; no entry where there is none from before.
if newest(KEYS[4]) >= version then return {1} end
local source = KEYS[5] or KEYS[4]
local source_version = entry_version(source)
if source_version > truncated() and source_version < version then
  return {0, redis.call('GET', source)}
end
return {0, false}
