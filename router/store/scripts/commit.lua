-- Replaces the state if its version is the expected one, and records the epochs it names, the version and who
-- made it.
-- KEYS: the state, the versions' records, the versions of this origin, the audit log, the lease, the newest
--       version known, the versions' configurations; then each experiment's epochs.
-- ARGV: expected version, new version, document, channel for the notice, the version's record, how many
--       versions of this origin are kept, the audit log's entry, how many of those are kept, the fencing number
--       under which the lease must be held, the version's configuration; then each epoch's number and document.
--       A record, an entry or a configuration that is empty is not written, and a fencing number that is empty
--       is not asked for.
-- Returns 1 when committed, 0 when another version is in force, 2 when the lease is not held under that number,
--         3 when the new version is none above the newest known, -i when epoch i was recorded differently.
if ARGV[9] ~= '' and string.match(redis.call('GET', KEYS[5]) or '', '^%d+') ~= ARGV[9] then
  return 2
end
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then
  return 0
end
if tonumber(redis.call('GET', KEYS[6]) or 0) >= tonumber(ARGV[2]) then
  return 3
end

for i = 1, #KEYS - 7 do
  local kept = redis.call('HGET', KEYS[7 + i], ARGV[9 + 2 * i])
  if kept and kept ~= ARGV[10 + 2 * i] then
    return -i
  end
end

-- Changes nothing, but a server that is full refuses to write what takes room only until a script has written:
-- what an operator stops because it harms must stop then, too.
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'document', ARGV[3])
for i = 1, #KEYS - 7 do
  redis.call('HSETNX', KEYS[7 + i], ARGV[9 + 2 * i], ARGV[10 + 2 * i])
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
  redis.call('LPUSH', KEYS[3], ARGV[2])
  while redis.call('LLEN', KEYS[3]) > tonumber(ARGV[6]) do
    redis.call('HDEL', KEYS[2], redis.call('RPOP', KEYS[3]))
  end
end
if ARGV[10] ~= '' then
  redis.call('HSET', KEYS[7], ARGV[2], ARGV[10])
  if redis.call('HLEN', KEYS[7]) > tonumber(ARGV[6]) then
    local oldest = tonumber(ARGV[2])
    for _, version in ipairs(redis.call('HKEYS', KEYS[7])) do
      oldest = math.min(oldest, tonumber(version))
    end
    redis.call('HDEL', KEYS[7], string.format('%.0f', oldest))
  end
end
if ARGV[7] ~= '' then
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], '*', 'entry', ARGV[7])
end
redis.call('PUBLISH', ARGV[4], ARGV[2])
return 1
