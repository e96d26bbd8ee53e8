-- Records that all rows of the table are gone; sweep.lua removes their entries.
local before = truncated()
if before < version then
  -- Also where there is nothing to remove: out of memory, Redis refuses a HSET unless the script has already written.
  redis.call('ZREM', index, before .. 't' .. table_key)
  redis.call('HSET', truncations, table_key, version)
  redis.call('ZADD', index, 0, version .. 't' .. table_key)
end
return 0
