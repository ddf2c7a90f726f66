-- Gives the lease to a holder if nobody else has it.
-- KEYS: the lease, the last fencing number.
-- ARGV: the holder, the milliseconds until the lease ends unless it is renewed.
-- Returns the fencing number, 0 when another one holds the lease.
local held = redis.call('GET', KEYS[1])
local fence, holder = string.match(held or '', '^(%d+) (.*)$')
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(fence)
end
if held then
  return 0
end

-- Not only one more: a failover may lose the last numbers given, and none may be given twice.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local next = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now)
local text = string.format('%.0f', next)
redis.call('SET', KEYS[2], text)
redis.call('SET', KEYS[1], text .. ' ' .. ARGV[1], 'PX', ARGV[2])
return next
