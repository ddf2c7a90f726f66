-- Adds one batch of sums, unless this writer's number was counted before.
-- KEYS: the writer's last number; then for each delta: requests, errors, first_byte, last_byte, first_cells,
--       last_cells, units, minutes, unidentified.
-- ARGV: the batch as JSON, the seconds for which the writer's number is kept.
-- Returns 1 when the batch was added, 0 when it was already.

-- One BITFIELD takes many additions; Lua's stack bounds how many.
local MOST = 4000

local function add(key, width, counts)
  local operations, size = {'OVERFLOW', 'SAT'}, 2
  for index, count in pairs(counts) do
    operations[size + 1] = 'INCRBY'
    operations[size + 2] = width
    operations[size + 3] = '#' .. index
    operations[size + 4] = count
    size = size + 4
    if size >= MOST then
      redis.call('BITFIELD', key, unpack(operations))
      operations, size = {'OVERFLOW', 'SAT'}, 2
    end
  end
  if size > 2 then
    redis.call('BITFIELD', key, unpack(operations))
  end
end

local function mark(key, positions)
  local operations, size = {}, 0
  for _, position in ipairs(positions) do
    operations[size + 1] = 'SET'
    operations[size + 2] = 'u1'
    operations[size + 3] = position
    operations[size + 4] = 1
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

-- Counts by minute older than `keep` minutes are dropped once a day's worth of them is there.
local function add_minutes(key, counts, keep)
  local newest = 0
  for minute, count in pairs(counts) do
    redis.call('HINCRBY', key, minute, count)
    newest = math.max(newest, tonumber(minute))
  end
  if redis.call('HLEN', key) > keep + 1440 then
    for _, minute in ipairs(redis.call('HKEYS', key)) do
      if tonumber(minute) < newest - keep then
        redis.call('HDEL', key, minute)
      end
    end
  end
end

local batch = cjson.decode(ARGV[1])
local last = tonumber(redis.call('GET', KEYS[1]) or -1)
if batch.number <= last then
  return 0
end
redis.call('SET', KEYS[1], batch.number, 'EX', ARGV[2])

for position, delta in ipairs(batch.deltas) do
  local first = 2 + (position - 1) * 9
  add(KEYS[first], 'i64', delta.requests)
  add(KEYS[first + 1], 'i64', delta.errors)
  add(KEYS[first + 2], 'i64', delta.first_byte)
  add(KEYS[first + 3], 'i64', delta.last_byte)
  add(KEYS[first + 4], 'u32', delta.first_cells)
  add(KEYS[first + 5], 'u32', delta.last_cells)
  mark(KEYS[first + 6], delta.positions)
  add_minutes(KEYS[first + 7], delta.minutes, batch.keep_minutes)
  if delta.unidentified > 0 then
    redis.call('INCRBY', KEYS[first + 8], delta.unidentified)
  end
end
return 1
