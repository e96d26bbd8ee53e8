-- Stands before every other script of this folder.
-- KEYS: 1 versions of rows that are gone or may expire, by entry key; 2 truncations, by table; 3 index of both, for
-- purge.lua; 4 the entry; 5 the entry's former key, if the primary key changed. apply.lua and write.lua have several rows.
-- ARGV: 1 the change's version; 2 the table, as it begins its entries' keys; 3... as each script says.
-- Versions are compared as text: fixed-width lower-case hexadecimal, so the locale has no say.
local versions, truncations, index = KEYS[1], KEYS[2], KEYS[3]
local version, table_key = ARGV[1], ARGV[2]

-- What was read once in this script, and what it made of it since: false where there is nothing.
local gone_versions, truncation_versions = {}, {}

-- The version in the entry's last member, '' where there is none; a large row stays where it is.
local function entry_version(key)
  local tail = redis.call('GETRANGE', key, -48, -1)
  return string.match(tail, '^"_version":"(%x+%-%x+%-%x+)"}$') or ''
end

local function truncated()
  local found = truncation_versions[table_key]
  if not found then
    found = redis.call('HGET', truncations, table_key) or ''
    truncation_versions[table_key] = found
  end
  return found
end

-- The version that is kept of a row that is gone or may expire, else false.
local function gone_version(key)
  local found = gone_versions[key]
  if found == nil then
    found = redis.call('HGET', versions, key)
    gone_versions[key] = found
  end
  return found
end

-- The version of the last change that is known of this key.
local function newest(key)
  local result = entry_version(key)
  local gone = gone_version(key)
  if gone and gone > result then result = gone end
  local all = truncated()
  if all > result then result = all end
  return result
end

local function forget(key)
  local before = gone_version(key)
  if before then
    redis.call('ZREM', index, before .. 'd' .. key)
    redis.call('HDEL', versions, key)
    gone_versions[key] = false
  end
end

local function remember(key)
  forget(key)
  redis.call('HSET', versions, key, version)
  redis.call('ZADD', index, 0, version .. 'd' .. key)
  gone_versions[key] = version
end
