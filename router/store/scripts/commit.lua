-- Replaces the state if its version is the expected one, and records the epochs it names, the version and who
-- made it.
-- KEYS: the state, the versions' records, the versions of this origin, the audit log; then each experiment's
--       epochs.
-- ARGV: expected version, new version, document, channel for the notice, the version's record, how many
--       versions of this origin are kept, the audit log's entry, how many of those are kept; then each epoch's
--       number and document. A record or an entry that is empty is not written.
-- Returns 1 when committed, 0 when another version is in force, -i when epoch i was recorded differently.
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then
  return 0
end

for i = 1, #KEYS - 4 do
  local kept = redis.call('HGET', KEYS[4 + i], ARGV[7 + 2 * i])
  if kept and kept ~= ARGV[8 + 2 * i] then
    return -i
  end
end

redis.call('HSET', KEYS[1], 'version', ARGV[2], 'document', ARGV[3])
for i = 1, #KEYS - 4 do
  redis.call('HSETNX', KEYS[4 + i], ARGV[7 + 2 * i], ARGV[8 + 2 * i])
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
  redis.call('LPUSH', KEYS[3], ARGV[2])
  while redis.call('LLEN', KEYS[3]) > tonumber(ARGV[6]) do
    redis.call('HDEL', KEYS[2], redis.call('RPOP', KEYS[3]))
  end
end
if ARGV[7] ~= '' then
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], '*', 'entry', ARGV[7])
end
redis.call('PUBLISH', ARGV[4], ARGV[2])
return 1
