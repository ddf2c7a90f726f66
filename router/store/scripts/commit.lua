-- Replaces the state if its version is the expected one, and records the epochs it names.
-- KEYS: the state; then each experiment's epochs.
-- ARGV: expected version, new version, document, channel for the notice; then each epoch's number and document.
-- Returns 1 when committed, 0 when another version is in force, -i when epoch i was recorded differently.
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then
  return 0
end

for i = 1, #KEYS - 1 do
  local kept = redis.call('HGET', KEYS[1 + i], ARGV[3 + 2 * i])
  if kept and kept ~= ARGV[4 + 2 * i] then
    return -i
  end
end

redis.call('HSET', KEYS[1], 'version', ARGV[2], 'document', ARGV[3])
for i = 1, #KEYS - 1 do
  redis.call('HSETNX', KEYS[1 + i], ARGV[3 + 2 * i], ARGV[4 + 2 * i])
end
redis.call('PUBLISH', ARGV[4], ARGV[2])
return 1
