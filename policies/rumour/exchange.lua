-- Leaves a gateway's note and returns all that count, as names and notes in turn. KEYS: the board. ARGV: the gateway's name, its note,
-- and for how many microseconds it counts.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[3]) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[3] / 1000))
local all = redis.call('HGETALL', KEYS[1])
local notes = {}
for i = 1, #all, 2 do
	local till, note = string.match(all[i + 1], '^(%d+) (.*)$')
	if till and tonumber(till) > now then
		notes[#notes + 1] = all[i]
		notes[#notes + 1] = note
	else
		redis.call('HDEL', KEYS[1], all[i])
	end
end
return notes
