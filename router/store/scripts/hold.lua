-- Goes on holding the lease, or gives it up, if it is still the same.
-- KEYS: the lease.
-- ARGV: what it must be, the milliseconds until it ends (0: now).
-- Returns 1 when it was the same, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
