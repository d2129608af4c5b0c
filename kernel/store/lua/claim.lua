-- claim.lua: a new owner takes a shard; every older owner is refused from here on.
-- KEYS   1 chain hash
-- ARGV   1 wall time in ms (or the lowest epoch to take)   2 owner, new for each attempt   3 '1' where the shard may be fresh
--        4 ids of the topics that the positions belong to   5.. fields and values that a fresh shard starts with
-- RETURN {'ok', field, value, ...} the whole chain hash | {'lost'} no key and not fresh | {'topic', stored ids}
-- COST   O(fields).   IDEMPOTENT no: each attempt needs an owner of its own and ends the one before.
local held = redis.call('HMGET', KEYS[1], 'epoch', 'topic')
local epoch = tonumber(ARGV[1])
if held[1] then
  if held[2] ~= ARGV[4] then return {'topic', held[2] or ''} end
  epoch = math.max(epoch, tonumber(held[1]) + 1)
else
  if ARGV[3] ~= '1' then return {'lost'} end
  redis.call('HSET', KEYS[1], 'topic', ARGV[4], unpack(ARGV, 5))
end
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch), 'owner', ARGV[2], 'turn', '0')
local answer = redis.call('HGETALL', KEYS[1])
table.insert(answer, 1, 'ok')
return answer
