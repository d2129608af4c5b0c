-- turn.lua: one turn of a shard's owner: state, position, timers and outbox change together, or nothing does.
-- KEYS   1 chain hash   2 outbox stream   3.. hashes and sorted sets of the shard   (all carry the shard's tag)
-- ARGV   1 epoch   2 owner   3 turn   4 msgpack of {chain, hashes, zsets, out}:
--          chain  flat list field, value ...                        written to the chain hash
--          hashes list of {number of the key, flat list to set, list of fields to delete}
--          zsets  list of {number of the key, flat list score, member ..., list of members to remove}
--          out    flat list topic, payload ...                      appended to the outbox
-- RETURN {'ok', stream ids of the appended entries ...} | {'already'} | {'refused'}
-- COST   O(n) in what is written.   IDEMPOTENT yes: a turn applies once, a re-send answers 'already'.
-- @include chain
local verdict = chain_check(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if verdict ~= 'ok' then return {verdict} end
local change = cmsgpack.unpack(ARGV[4])
local chain = change[1]
chain[#chain + 1] = 'turn'
chain[#chain + 1] = ARGV[3]
in_slices('HSET', KEYS[1], chain)
for _, hash in ipairs(change[2]) do
  if #hash[2] > 0 then in_slices('HSET', KEYS[hash[1]], hash[2]) end
  if #hash[3] > 0 then in_slices('HDEL', KEYS[hash[1]], hash[3]) end
end
for _, set in ipairs(change[3]) do
  if #set[2] > 0 then in_slices('ZADD', KEYS[set[1]], set[2]) end
  if #set[3] > 0 then in_slices('ZREM', KEYS[set[1]], set[3]) end
end
local answer = {'ok'}
local out = change[4]
for i = 1, #out, 2 do
  answer[#answer + 1] = redis.call('XADD', KEYS[2], '*', 't', out[i], 'p', out[i + 1])
end
return answer
