-- cut.lua: states the intent to count the raw range [from, to) before anything of it is emitted.
-- KEYS   1 cut hash of a raw partition
-- ARGV   1 from   2 to
-- RETURN {done, intent} as stored afterwards; {} where `done` is missing. The caller may emit [from, intent) only if
--        done is its from; another intent that stands has to be counted up to exactly.
-- COST   O(1).   IDEMPOTENT yes.
local held = redis.call('HMGET', KEYS[1], 'done', 'intent')
if not held[1] then return {} end
local done, intent = held[1], held[2] or held[1]
if done == ARGV[1] and tonumber(intent) <= tonumber(done) then
  intent = ARGV[2]
  redis.call('HSET', KEYS[1], 'intent', intent)
end
return {done, intent}
