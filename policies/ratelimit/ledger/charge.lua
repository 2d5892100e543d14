-- Charges all keys or none. KEYS: of the limits. ARGV, for each: microseconds to add, tolerance in microseconds, 1 for a dry run.
-- Returns for each how far ahead its theoretical arrival time is, in microseconds; -1 less that where it was refused.
local t = redis.call('TIME')
local now = (t[1] - 1700000000) * 1000000 + t[2] -- small enough that a double has room for a 64th of a microsecond
local ahead, answer, refused = {}, {}, false
for i, key in ipairs(KEYS) do
  local before = math.max((tonumber(redis.call('GET', key) or '0') or 0) - now, 0)
  local after = before + ARGV[3 * i - 2]
  if after > tonumber(ARGV[3 * i - 1]) then
    answer[i] = -1 - math.ceil(before)
    refused = refused or ARGV[3 * i] ~= '1'
  else
    answer[i] = math.ceil(after)
    ahead[i] = after
  end
end
if not refused then
  for i, key in ipairs(KEYS) do
    if ahead[i] and ahead[i] > 0 then
      redis.call('SET', key, string.format('%.3f', now + ahead[i]), 'PX', math.ceil(ahead[i] / 1000))
    end
  end
end
return answer
