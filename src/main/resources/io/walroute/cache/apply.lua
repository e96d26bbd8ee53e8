-- Makes one change of one row, unless the cache knows a later or the same one.
-- ARGV: 3 the row as JSON, '' to remove it; 4 time to live in ms or ''; 5 time of expiry in ms since 1970 or '';
-- 6 the version of the entry that the row was completed from, '' if it wasn't.
-- Returns -1 if that entry has another version now, else the sum of 1 (written) and 2 (removed), 0 if older.
local row, ttl, expires, source_version = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local entry, former = KEYS[4], KEYS[5]
local result = 0

-- DEL stands first: when Redis is out of memory it refuses a HSET, but not in a script that has already written.
local function remove(key)
  redis.call('DEL', key)
  remember(key)
end

-- SET stands first: when Redis is out of memory it is refused, and then nothing must have been changed.
local function write(key)
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

if newest(entry) < version then
  if source_version ~= '' and entry_version(former or entry) ~= source_version then return -1 end
  if row == '' then
    remove(entry)
    result = 2
  else
    result = write(entry)
  end
end
if former and newest(former) < version then
  remove(former)
  if result ~= 2 then result = result + 2 end
end
return result
