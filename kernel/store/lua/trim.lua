-- trim.lua: takes published entries out of the outbox, if the shard is still held by the one that published them.
-- KEYS   1 chain hash   2 outbox stream
-- ARGV   1 epoch   2 owner   3.. stream ids
-- RETURN 'ok' | 'refused' (ends the owner's claim)
-- COST   O(ids).   IDEMPOTENT yes: an id that is gone is passed over.
local held = redis.call('HMGET', KEYS[1], 'epoch', 'owner')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 'refused' end
redis.call('XDEL', KEYS[2], unpack(ARGV, 3))
return 'ok'
