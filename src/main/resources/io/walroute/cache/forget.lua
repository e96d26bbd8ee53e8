-- Gives up the entries (KEYS from 4 on) of a row that the change ARGV[1] never reached, if they are older: nothing must be
-- completed from them. Keeps ARGV[3] of each, the version just before: the change itself may still come.
-- Returns how many.
local change, count = version, 0
version = ARGV[3]
for i = 4, #KEYS do
  -- What isn't a string, or has no version, is none of ours: nothing is completed from it either.
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind == 'none' or kind == 'string' and entry_version(KEYS[i]) ~= '' then
    if newest(KEYS[i]) < change then
      redis.call('DEL', KEYS[i])
      remember(KEYS[i])
      count = count + 1
    end
  end
end
return count
