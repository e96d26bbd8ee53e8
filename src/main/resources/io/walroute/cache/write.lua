-- Writes rows that have no time to live and whose key didn't change, each unless the cache knows a later or the same change: what
-- apply.lua does, for the case that is nearly every one.
-- KEYS from 4 on: the entries.
-- ARGV: three of each row: 1 the change's version; 2 the table; 3 the row as JSON.
-- Returns for each 1 (written), or 0 if older.
local entries = {}
for i = 4, #KEYS do entries[i - 3] = KEYS[i] end
local found = redis.call('HMGET', versions, unpack(entries))
for i = 1, #entries do gone_versions[entries[i]] = found[i] end

local results = {}
for i = 1, #entries do
  local entry = entries[i]
  version, table_key = ARGV[3 * i - 2], ARGV[3 * i - 1]
  if newest(entry) < version then
    -- SET stands first: when Redis is out of memory it is refused, and then nothing must have been changed.
    redis.call('SET', entry, ARGV[3 * i])
    forget(entry)
    results[i] = 1
  else
    results[i] = 0
  end
end
return results
