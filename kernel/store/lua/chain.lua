-- chain.lua (include): is this the next turn of the owner that holds the shard?
-- chain_check(key, epoch, owner, turn) -> 'ok'      stored epoch and owner are equal, stored turn is turn - 1
--                                         'already' stored turn is turn: the client sent the script again
--                                         'refused' anything else, a missing key included
local function chain_check(key, epoch, owner, turn)
  local held = redis.call('HMGET', key, 'epoch', 'owner', 'turn')
  if held[1] ~= epoch or held[2] ~= owner then return 'refused' end
  if held[3] == turn then return 'already' end
  if tonumber(held[3]) ~= tonumber(turn) - 1 then return 'refused' end
  return 'ok'
end

-- Calls command key ... with a list of any length, in slices that Lua's stack can hold.
local function in_slices(command, key, list)
  for first = 1, #list, 4000 do
    redis.call(command, key, unpack(list, first, math.min(first + 3999, #list)))
  end
end
