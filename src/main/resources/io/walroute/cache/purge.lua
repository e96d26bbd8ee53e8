-- Drops the versions kept of gone rows and of truncations that are not later than ARGV[1], at most ARGV[3] of them.
-- Returns how many. An index member is version (34 characters), 'd' or 't', name.
local members = redis.call('ZRANGEBYLEX', index, '-', '[' .. version .. '\255', 'LIMIT', 0, tonumber(ARGV[3]))
for _, member in ipairs(members) do
  local kept = string.sub(member, 35, 35) == 'd' and versions or truncations
  local name = string.sub(member, 36)
  if redis.call('HGET', kept, name) == string.sub(member, 1, 34) then redis.call('HDEL', kept, name) end
  redis.call('ZREM', index, member)
end
return #members
