-- Notes the newest version that is known to have been in force.
-- KEYS: the newest version known.
-- ARGV: a version.
-- Returns the newest now.
local newest = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', newest))
return newest
