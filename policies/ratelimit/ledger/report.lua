-- Charges all keys, whatever their tolerance. KEYS: of the limits. ARGV, for each: microseconds to add, less than 0 to give back.
-- Returns for each how far ahead its theoretical arrival time is then, in microseconds.
local t = redis.call('TIME')
local now = (t[1] - 1700000000) * 1000000 + t[2]
local answer = {}
for i, key in ipairs(KEYS) do
  local add = tonumber(ARGV[i])
  local ahead = math.max(math.max((tonumber(redis.call('GET', key) or '0') or 0) - now, 0) + add, 0)
  if ahead == 0 then
    redis.call('DEL', key)
  elseif add ~= 0 then
    redis.call('SET', key, string.format('%.3f', now + ahead), 'PX', math.ceil(ahead / 1000))
  end
  answer[i] = math.ceil(ahead)
end
return answer
