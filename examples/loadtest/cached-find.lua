-- A find whose answer is stored: after the first request no worker is asked.
--   wrk -t2 -c64 -d10s --latency -s examples/loadtest/cached-find.lua http://127.0.0.1:1337
local here = debug.getinfo(1, "S").source:sub(2):match("(.*/)") or "./"
dofile(here .. "request.lua")

-- {"kind":"book"} with order=n: the 20 objects that run.sh makes
wrk.path = "/parse/classes/LoadTest?where=%7B%22kind%22%3A%22book%22%7D&order=n"
