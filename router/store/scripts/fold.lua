-- Replaces what an epoch and variant has summed up by one document, unless it is another than was read.
-- KEYS: the document, the hash of periods; then the strings.
-- ARGV: the digest of what they held, the document.
-- Returns 1 when replaced, 0 when they hold something else by now.
local held = {redis.sha1hex(redis.call('GET', KEYS[1]) or '')}

local fields = redis.call('HGETALL', KEYS[2])
local endings, counts = {}, {}
for place = 1, #fields, 2 do
  local ending = tonumber(fields[place])
  endings[#endings + 1] = ending
  counts[ending] = fields[place] .. '=' .. fields[place + 1]
end
table.sort(endings)
for place, ending in ipairs(endings) do
  endings[place] = counts[ending]
end
held[2] = redis.sha1hex(table.concat(endings, ','))

for place = 3, #KEYS do
  held[place] = redis.sha1hex(redis.call('GET', KEYS[place]) or '')
end
if redis.sha1hex(table.concat(held)) ~= ARGV[1] then
  return 0
end

-- A server that is full refuses to write what takes room, but not after a script has begun to write: to fold
-- gives room.
for place = 2, #KEYS do
  redis.call('UNLINK', KEYS[place])
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
