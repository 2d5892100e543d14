-- A new object for each request, in a class of its own.
--   wrk -t2 -c64 -d10s --latency -s examples/loadtest/create.lua http://127.0.0.1:1337
local here = debug.getinfo(1, "S").source:sub(2):match("(.*/)") or "./"
dofile(here .. "request.lua")

wrk.method = "POST"
wrk.path = "/parse/classes/LoadTestCreated"
wrk.body = '{"n":1,"kind":"book","tags":["a","b"],"nested":{"deep":true}}'
