-- Counts the outcomes of one experiment that were not counted before.
-- KEYS: each outcome's identity; then for each series (an epoch's, variant's and metric's): count, sum,
--       capped; then the log of rewards.
-- ARGV: the outcomes as JSON: [series from 0, bucket, value, seconds for which its identity is kept, its line
--       in the log of rewards or nothing, whether it was capped or null where its metric has no cap], how many
--       of those lines are kept, the last bucket.
-- Returns for each outcome 1 when it was counted now, 0 when it was already.

-- One BITFIELD takes many additions; Lua's stack bounds how many.
local MOST = 4000

-- Each string is made as long as it can get: of one that grows Redis keeps as much again in reserve.
local last = tonumber(ARGV[3])

local items = cjson.decode(ARGV[1])
local replies, counts, sums, capped, rewards = {}, {}, {}, {}, {}

for place, item in ipairs(items) do
  local series, bucket = item[1], item[2]
  if redis.call('SET', KEYS[place], '', 'NX', 'EX', item[4]) then
    replies[place] = 1
    if not counts[series] then
      counts[series], sums[series] = {}, {}
    end
    counts[series][bucket] = (counts[series][bucket] or 0) + 1
    sums[series][bucket] = (sums[series][bucket] or 0) + item[3]
    if item[6] ~= cjson.null then
      capped[series] = (capped[series] or 0) + (item[6] and 1 or 0)
    end
    if item[5] ~= '' then
      rewards[#rewards + 1] = item[5]
    end
  else
    replies[place] = 0
  end
end

for series, by_bucket in pairs(counts) do
  local key = KEYS[#items + 1 + 3 * series]
  local operations, size = {'INCRBY', 'i64', '#' .. last, 0}, 4
  for bucket, count in pairs(by_bucket) do
    operations[size + 1] = 'INCRBY'
    operations[size + 2] = 'i64'
    operations[size + 3] = '#' .. bucket
    operations[size + 4] = count
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

-- Sums are doubles: an increment as text (HINCRBYFLOAT) drops what is below 1e-17.
for series, by_bucket in pairs(sums) do
  local key = KEYS[#items + 2 + 3 * series]
  if redis.call('STRLEN', key) <= last * 8 then
    redis.call('SETRANGE', key, last * 8 + 7, '\0')
  end
  for bucket, value in pairs(by_bucket) do
    local old = redis.call('GETRANGE', key, bucket * 8, bucket * 8 + 7)
    local sum = #old == 8 and struct.unpack('>d', old) or 0
    redis.call('SETRANGE', key, bucket * 8, struct.pack('>d', sum + value))
  end
end

-- Nothing at all means that nobody counted, so 0 is written, too.
for series, count in pairs(capped) do
  redis.call('INCRBY', KEYS[#items + 3 + 3 * series], count)
end

if #rewards > 0 then
  for from = 1, #rewards, MOST do
    redis.call('RPUSH', KEYS[#KEYS], unpack(rewards, from, math.min(from + MOST - 1, #rewards)))
  end
  redis.call('LTRIM', KEYS[#KEYS], -tonumber(ARGV[2]), -1)
end
return replies
