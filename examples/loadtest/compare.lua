-- One kind of request of compare.sh. Behind "--": get PATH, or create PATH.
local here = debug.getinfo(1, "S").source:sub(2):match("(.*/)") or "./"
dofile(here .. "request.lua")

function init(args)
  wrk.path = args[2]
  if args[1] == "create" then
    wrk.method = "POST"
    wrk.body = '{"n":1,"kind":"made","title":"A book that was made","sold":true,"tags":["a","b"],"nested":{"deep":true}}'
  end
end
