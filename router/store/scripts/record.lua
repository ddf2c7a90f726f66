-- Adds one batch of sums, unless this writer's number was counted before.
-- KEYS: the writer's last number, the log of decisions; then for each delta: requests, errors, first_byte,
--       last_byte, first_cells, last_cells, units, periods, unidentified, fallbacks.
-- ARGV: the batch as JSON, the seconds for which the writer's number is kept, the last index of an array by
--       bucket, of a histogram, and of the units' positions.
-- Returns 1 when the batch was added, 0 when it was already.

-- One BITFIELD takes many additions; Lua's stack bounds how many.
local MOST = 4000

-- Each string is made as long as it can get: of one that grows Redis keeps as much again in reserve.
local function add(key, width, counts, last)
  local operations, size = {'OVERFLOW', 'SAT', 'INCRBY', width, '#' .. last, 0}, 6
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
  if next(counts) and size > 2 then
    redis.call('BITFIELD', key, unpack(operations))
  end
end

local function mark(key, positions, last)
  local operations, size = {'INCRBY', 'u1', last, 0}, 4
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
  if #positions > 0 and size > 0 then
    redis.call('BITFIELD', key, unpack(operations))
  end
end

-- Counts of periods that ended more than `keep` seconds before the newest are dropped once there are many.
local MANY = 1024

local function add_periods(key, counts, keep)
  local newest = 0
  for ending, count in pairs(counts) do
    redis.call('HINCRBY', key, ending, count)
    newest = math.max(newest, tonumber(ending))
  end
  if redis.call('HLEN', key) > MANY then
    for _, ending in ipairs(redis.call('HKEYS', key)) do
      if tonumber(ending) < newest - keep then
        redis.call('HDEL', key, ending)
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
  local first = 3 + (position - 1) * 10
  add(KEYS[first], 'i64', delta.requests, ARGV[3])
  add(KEYS[first + 1], 'i64', delta.errors, ARGV[3])
  add(KEYS[first + 2], 'i64', delta.first_byte, ARGV[3])
  add(KEYS[first + 3], 'i64', delta.last_byte, ARGV[3])
  add(KEYS[first + 4], 'u32', delta.first_cells, ARGV[4])
  add(KEYS[first + 5], 'u32', delta.last_cells, ARGV[4])
  mark(KEYS[first + 6], delta.positions, ARGV[5])
  add_periods(KEYS[first + 7], delta.periods, batch.keep_seconds)
  if delta.unidentified > 0 then
    redis.call('INCRBY', KEYS[first + 8], delta.unidentified)
  end
  redis.call('INCRBY', KEYS[first + 9], delta.fallbacks)
end

if #batch.decisions > 0 then
  for from = 1, #batch.decisions, MOST do
    redis.call('RPUSH', KEYS[2], unpack(batch.decisions, from, math.min(from + MOST - 1, #batch.decisions)))
  end
  redis.call('LTRIM', KEYS[2], -batch.keep_decisions, -1)
end
return 1
