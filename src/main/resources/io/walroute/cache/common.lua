-- Stands before every other script of this folder.
-- KEYS: 1 versions of rows that are gone or may expire, by entry key; 2 truncations, by table; 3 index of both, for
-- purge.lua; 4 the entry; 5 the entry's former key, if the primary key changed. apply.lua has several rows.
-- ARGV: 1 the change's version; 2 the table, as it begins its entries' keys; 3... as each script says.
-- Versions are compared as text: fixed-width lower-case hexadecimal, so the locale has no say.
local versions, truncations, index = KEYS[1], KEYS[2], KEYS[3]
local version, table_key = ARGV[1], ARGV[2]

-- The version in the entry's last member, '' where there is none; a large row stays where it is.
local function entry_version(key)
  local tail = redis.call('GETRANGE', key, -48, -1)
  return string.match(tail, '^"_version":"(%x+%-%x+%-%x+)"}$') or ''
end

local function truncated()
  return redis.call('HGET', truncations, table_key) or ''
end

-- The version of the last change that is known of this key.
local function newest(key)
  local result = entry_version(key)
  local gone = redis.call('HGET', versions, key)
  if gone and gone > result then result = gone end
  local all = truncated()
  if all > result then result = all end
  return result
end

local function forget(key)
  local before = redis.call('HGET', versions, key)
  if before then
    redis.call('ZREM', index, before .. 'd' .. key)
    redis.call('HDEL', versions, key)
  end
end

local function remember(key)
  forget(key)
  redis.call('HSET', versions, key, version)
  redis.call('ZADD', index, 0, version .. 'd' .. key)
end
