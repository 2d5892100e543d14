-- One object by its id, asked of a worker each time. The id comes after "--".
--   wrk -t2 -c64 -d10s --latency -s examples/loadtest/uncached-get.lua http://127.0.0.1:1337 -- OBJECTID
local here = debug.getinfo(1, "S").source:sub(2):match("(.*/)") or "./"
dofile(here .. "request.lua")

wrk.headers["Cache-Control"] = "no-cache"

function init(args)
  if not args[1] then
    error("give an objectId of the class LoadTest after --")
  end
  wrk.path = "/parse/classes/LoadTest/" .. args[1]
end
