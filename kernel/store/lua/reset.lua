-- reset.lua: a person gives up what a role knows of a shard; it starts again from a position, and every owner is refused.
-- KEYS   1 chain hash   2.. the role's other keys of the shard   (all carry the shard's tag)
-- ARGV   1 wall time in ms (or the lowest epoch to take)   2 owner, new for each attempt
--        3 ids of the topics that the position belongs to   4.. fields and values that the shard starts with
-- RETURN the new epoch: above the stored one, so that the next claim is above everybody who lived before.
-- COST   O(keys): what is behind them is freed in the background.   IDEMPOTENT no: each call ends the claim before it.
local held = redis.call('HGET', KEYS[1], 'epoch')
local epoch = tonumber(ARGV[1])
if held then epoch = math.max(epoch, tonumber(held) + 1) end
redis.call('UNLINK', unpack(KEYS))
local text = string.format('%.0f', epoch)
redis.call('HSET', KEYS[1], 'topic', ARGV[3], 'epoch', text, 'owner', ARGV[2], 'turn', '0', unpack(ARGV, 4))
return text
