#!/usr/bin/env bash
# Measures a cached find, an uncached get and a create through `parsescale run` with the default Caddyfile, in a
# temporary folder, and prints requests per second and their ratios. Needs wrk and curl.
#   DURATION (10s), CONNECTIONS (64), THREADS (1): what wrk is told
#   PARSESCALE: the program to measure; default: built from this repository
#   URL: the address of a running server to measure in its place, without /parse
set -euo pipefail
source "$(dirname "$0")/measuring.sh"
duration=${DURATION:-10s} connections=${CONNECTIONS:-64} threads=${THREADS:-1}
app=${PARSE_SERVER_APPLICATION_ID:-myAppId}
headers=(-H "X-Parse-Application-Id: $app" -H "Content-Type: application/json")
if [ -n "${PARSE_SERVER_REST_API_KEY:-}" ]; then
	headers+=(-H "X-Parse-REST-API-Key: $PARSE_SERVER_REST_API_KEY")
fi

gateway=
cleanup() {
	if [ -n "$gateway" ]; then
		kill -TERM "$gateway" 2>/dev/null || true
		wait "$gateway" 2>/dev/null || true
	fi
	rm -rf "$scratch"
}
trap cleanup EXIT

url=${URL:-}
if [ -z "$url" ]; then
	build
	port=$((20000 + RANDOM % 20000))
	url=http://127.0.0.1:$port
	(
		cd "$scratch"
		exec env HOME="$scratch" PORT="$port" PARSESCALE_ADMIN="127.0.0.1:$((port + 1))" \
			"$program" run --config "$root/Caddyfile" --adapter caddyfile
	) >"$scratch/log" 2>&1 </dev/null &
	gateway=$!
	await "$url/parse/health" "$gateway" "$scratch/log"
fi

for n in {1..20}; do
	made=$(curl -fsS "${headers[@]}" -d "{\"n\":$n,\"kind\":\"book\",\"title\":\"Book number $n\"}" "$url/parse/classes/LoadTest")
done
id=$(sed -n 's/.*"objectId":"\([A-Za-z0-9]*\)".*/\1/p' <<<"$made")

# measure SCRIPT [ARGUMENT]: runs wrk, prints its figures and leaves the requests per second in $rate.
measure() {
	local line
	wrk -t"$threads" -c"$connections" -d"$duration" --latency -s "$here/$1.lua" "$url" -- "${@:2}" >"$scratch/wrk" 2>&1 ||
		{ cat "$scratch/wrk" >&2; exit 1; }
	line=$(grep '^result ' "$scratch/wrk") || { cat "$scratch/wrk" >&2; exit 1; }
	printf '%-14s %s\n' "$1" "${line#result }"
	case $line in *', 0 failed') ;; *) echo "requests failed" >&2; exit 1 ;; esac
	rate=$(cut -d' ' -f2 <<<"$line")
}

echo "$connections connections for $duration each, on $(nproc) cores that wrk shares"
measure cached-find
find=$rate
measure uncached-get "$id"
get=$rate
measure create
create=$rate
awk -v find="$find" -v get="$get" -v create="$create" 'BEGIN {
	if (get > 0) printf "cached find : uncached get = %.1f\n", find / get
	if (create > 0) printf "cached find : create       = %.1f\nuncached get : create      = %.1f\n", find / create, get / create
}'
