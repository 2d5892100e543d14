#!/usr/bin/env bash
# Measures creates through `parsescale run` (default Caddyfile: gateway, two workers, SQLite with synchronous=FULL) against
# PocketBase, which commits each create by itself with synchronous=NORMAL, in alternation; prints the medians and their ratio.
#   ROUNDS (3), DURATION (5s), CONNECTIONS (64): how often, how long, with how many connections wrk asks
#   PARSESCALE: the program to measure; default: built from this repository
#   POCKETBASE: PocketBase's program; default: version 0.39.4, built from its Go module
set -euo pipefail
source "$(dirname "$0")/measuring.sh"
rounds=${ROUNDS:-3} duration=${DURATION:-5s} connections=${CONNECTIONS:-64}
export PARSE_SERVER_APPLICATION_ID=myAppId PARSE_SERVER_REST_API_KEY=
pids=()
cleanup() {
	kill -TERM "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$scratch"
}
trap cleanup EXIT

build
pocketbase=${POCKETBASE:-$scratch/base}
[ -n "${POCKETBASE:-}" ] || (cd "$scratch" && GOBIN=$scratch CGO_ENABLED=0 go install github.com/pocketbase/pocketbase/examples/base@v0.39.4)

port=$((20000 + RANDOM % 20000))
ours=http://127.0.0.1:$port theirs=http://127.0.0.1:$((port + 2))
mkdir "$scratch/ours"
(
	cd "$scratch/ours"
	exec env HOME="$scratch/ours" PORT="$port" PARSESCALE_ADMIN="127.0.0.1:$((port + 1))" "$program" run --config "$root/Caddyfile" --adapter caddyfile
) >"$scratch/ours.log" 2>&1 </dev/null &
pids+=($!)
await "$ours/parse/health" $! "$scratch/ours.log"

"$pocketbase" superuser upsert load@example.com compare-compare --dir "$scratch/pb" >/dev/null
"$pocketbase" serve --http "127.0.0.1:$((port + 2))" --dir "$scratch/pb" >"$scratch/pb.log" 2>&1 </dev/null &
pids+=($!)
await "$theirs/api/health" $! "$scratch/pb.log"
token=$(curl -fsS -H 'Content-Type: application/json' -d '{"identity":"load@example.com","password":"compare-compare"}' \
	"$theirs/api/collections/_superusers/auth-with-password" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
curl -fsS -o /dev/null -H "Authorization: $token" -H 'Content-Type: application/json' -d '{"name":"LoadTest","type":"base","createRule":"","fields":[
	{"name":"n","type":"number"},{"name":"kind","type":"text"},{"name":"title","type":"text"},{"name":"sold","type":"bool"},
	{"name":"tags","type":"json"},{"name":"nested","type":"json"}]}' "$theirs/api/collections"

creates() { # creates URL PATH DURATION
	wrk -t1 -c"$connections" -d"$3" --latency -s "$here/compare.lua" "$1" -- create "$2" >"$scratch/wrk" 2>&1 || { cat "$scratch/wrk" >&2; exit 1; }
	if ! grep -q '^result .*, 0 failed' "$scratch/wrk"; then cat "$scratch/wrk" >&2; exit 1; fi
	sed -n 's/^result \([0-9]*\) .*/\1/p' "$scratch/wrk"
}

a=() b=()
creates "$ours" /parse/classes/LoadTest 2s >/dev/null
creates "$theirs" /api/collections/LoadTest/records 2s >/dev/null
for ((round = 0; round < rounds; round++)); do
	a+=("$(creates "$ours" /parse/classes/LoadTest "$duration")")
	b+=("$(creates "$theirs" /api/collections/LoadTest/records "$duration")")
done
echo "$connections connections, median of $rounds rounds of $duration, on $(nproc) cores that wrk shares"
awk -v ours="$(median "${a[@]}")" -v theirs="$(median "${b[@]}")" 'BEGIN { printf "creates/s: parsescale %d, PocketBase %d: %.2f times\n", ours, theirs, ours / theirs }'
