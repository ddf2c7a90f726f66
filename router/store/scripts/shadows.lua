-- Adds one batch of a shadow's sums, unless this writer's number was counted before.
-- KEYS: the writer's last number, the examples; then what is summed up, one key for each name.
-- ARGV: the batch as JSON, the seconds for which the writer's number is kept, and those for which sums are kept
--       that nothing is added to, how many examples are kept; then the names, in the order of their keys.
-- Returns 1 when the batch was added, 0 when it was already.

-- One BITFIELD takes many additions; Lua's stack bounds how many.
local MOST = 4000

local function add(key, counts)
  local operations, size = {}, 0
  for bucket, count in pairs(counts) do
    operations[size + 1] = 'INCRBY'
    operations[size + 2] = 'i64'
    operations[size + 3] = '#' .. bucket
    operations[size + 4] = string.format('%.0f', count)
    size = size + 4
    if size >= MOST then
      redis.call('BITFIELD', key, unpack(operations))
      operations, size = {}, 0
    end
  end
  if size > 0 then
    redis.call('BITFIELD', key, unpack(operations))
  end
end

local batch = cjson.decode(ARGV[1])
local last = tonumber(redis.call('GET', KEYS[1]) or -1)
if batch.number <= last then
  return 0
end
redis.call('SET', KEYS[1], batch.number, 'EX', ARGV[2])

for place = 3, #KEYS do
  local counts = batch.sums[ARGV[place + 2]]
  if counts then
    add(KEYS[place], counts)
    redis.call('EXPIRE', KEYS[place], ARGV[3])
  end
end
if #batch.examples > 0 then
  for _, example in ipairs(batch.examples) do
    redis.call('LPUSH', KEYS[2], example)
  end
  redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return 1
