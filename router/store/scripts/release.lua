-- Gives the lease up, if it is still the same.
-- KEYS: the lease.
-- ARGV: what it must be.
-- Returns 1 when it was the same, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
return 1
