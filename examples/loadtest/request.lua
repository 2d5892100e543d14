-- What the three scripts share: the app's headers, from the environment, and the closing line with the figures.
local app = os.getenv("PARSE_SERVER_APPLICATION_ID") or "myAppId"
local key = os.getenv("PARSE_SERVER_REST_API_KEY") or ""

wrk.headers["X-Parse-Application-Id"] = app
wrk.headers["Content-Type"] = "application/json"
if key ~= "" then
  wrk.headers["X-Parse-REST-API-Key"] = key
end

-- done is called once, after all threads have ended.
function done(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format("result %.0f requests/s, p50 %.2f ms, p99 %.2f ms, %d failed\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
