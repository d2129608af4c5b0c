-- done.lua: a counted range is acknowledged; moves `done` to its end, if it still stands at its start.
-- KEYS   1 cut hash of a raw partition
-- ARGV   1 from   2 to
-- RETURN the stored `done` afterwards, '' where it is missing; anything but `to` means: seek there.
-- COST   O(1).   IDEMPOTENT yes.
local done = redis.call('HGET', KEYS[1], 'done')
if not done then return '' end
if done == ARGV[1] then
  redis.call('HSET', KEYS[1], 'done', ARGV[2])
  return ARGV[2]
end
return done
