-- Makes changes of rows, each unless the cache knows a later or the same one.
-- KEYS from 4 on: two of each row, the entry and the entry's former key; the same twice if the primary key didn't change.
-- ARGV: six of each row: 1 the change's version; 2 the table; 3 the row as JSON, '' to remove it; 4 time to live in ms or '';
-- 5 time of expiry in ms since 1970 or ''; 6 the version of the entry that the row was completed from, '' if it wasn't.
-- Returns for each -1 if that entry has another version now, else the sum of 1 (written) and 2 (removed), 0 if older.

-- DEL stands first: when Redis is out of memory it refuses a HSET, but not in a script that has already written.
local function remove(key)
  redis.call('DEL', key)
  remember(key)
end

-- SET stands first: when Redis is out of memory it is refused, and then nothing must have been changed.
local function write(key, row, ttl, expires)
  if expires ~= '' then
    redis.call('SET', key, row)
    redis.call('PEXPIREAT', key, expires)
    remember(key)
    if redis.call('EXISTS', key) == 0 then return 2 end
  elseif ttl ~= '' then
    redis.call('SET', key, row, 'PX', ttl)
    remember(key)
  else
    redis.call('SET', key, row)
    forget(key)
  end
  return 1
end

local function apply(entry, former, row, ttl, expires, source_version)
  local result = 0
  if newest(entry) < version then
    if source_version ~= '' and entry_version(former) ~= source_version then return -1 end
    if row == '' then
      remove(entry)
      result = 2
    else
      result = write(entry, row, ttl, expires)
    end
  end
  if former ~= entry and newest(former) < version then
    remove(former)
    if result ~= 2 then result = result + 2 end
  end
  return result
end

local results = {}
for i = 4, #KEYS, 2 do
  local at = (i - 4) * 3
  version, table_key = ARGV[at + 1], ARGV[at + 2]
  results[#results + 1] = apply(KEYS[i], KEYS[i + 1], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6])
end
return results
