#!/usr/bin/env bash
# Measures how often a find of 20 objects is answered from the cache, as GET and in the SDKs' POST form, beside Caddy's own
# `respond` with the same bytes and with as many bytes without braces (it looks for placeholders in them), all in one Caddy and in
# alternation. Prints the medians and their ratios. Needs wrk and curl.
#   DURATION (5s), CONNECTIONS (64), THREADS (1): what wrk is told
#   ROUNDS (3): how often each is measured
#   PARSESCALE: the program to measure; default: built from this repository
set -euo pipefail
source "$(dirname "$0")/measuring.sh"
duration=${DURATION:-5s} connections=${CONNECTIONS:-64} threads=${THREADS:-1} rounds=${ROUNDS:-3}

gateway=
cleanup() {
	if [ -n "$gateway" ]; then
		kill -TERM "$gateway" 2>/dev/null || true
		wait "$gateway" 2>/dev/null || true
	fi
	rm -rf "$scratch"
}
trap cleanup EXIT

build
port=$((20000 + RANDOM % 20000))
url=http://127.0.0.1:$port

# caddyfile SAME PLAIN: the bodies that Caddy answers by itself.
caddyfile() {
	cat <<END
{
	admin 127.0.0.1:$((port + 1))
	auto_https off
	persist_config off
	parse {
		workers 1 {
			database_uri sqlite://$scratch/data/parse.db
			option allowClientClassCreation true
		}
	}
}
http://127.0.0.1:$port {
	handle /same {
		header Content-Type "application/json; charset=utf-8"
		respond \`$1\`
	}
	handle /plain {
		header Content-Type "application/json; charset=utf-8"
		respond \`$2\`
	}
	parse /parse/*
}
END
}

caddyfile none none >"$scratch/Caddyfile"
HOME=$scratch "$program" run --config "$scratch/Caddyfile" --adapter caddyfile >"$scratch/log" 2>&1 </dev/null &
gateway=$!
await "$url/parse/health" "$gateway" "$scratch/log"
for n in {1..20}; do
	curl -fsS -o /dev/null -H 'X-Parse-Application-Id: myAppId' -H 'Content-Type: application/json' \
		-d "{\"n\":$n,\"kind\":\"book\",\"title\":\"Book number $n of a shelf that has twenty\",\"sold\":true,\"tags\":[\"one\",\"two\"]}" "$url/parse/classes/LoadTest"
done
body=$(curl -fsS -H 'X-Parse-Application-Id: myAppId' "$url/parse/classes/LoadTest?limit=20")
caddyfile "$body" "$(tr '{}' '()' <<<"$body")" >"$scratch/Caddyfile"
HOME=$scratch "$program" reload --config "$scratch/Caddyfile" --adapter caddyfile --address "127.0.0.1:$((port + 1))" >"$scratch/reload" 2>&1 ||
	{ cat "$scratch/reload" >&2; exit 1; }
[ "$(curl -fsS "$url/same")" = "$body" ] || { echo "respond answers something else" >&2; exit 1; }

cat >"$scratch/post.lua" <<'END'
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/plain"
wrk.body = '{"limit":20,"_method":"GET","_ApplicationId":"myAppId","_ClientVersion":"js8.0.0","_InstallationId":"11111111-2222-4333-8444-555555555555"}'
END

# measure NAME PATH [WRK ARGUMENTS]: adds the requests per second to $scratch/NAME.
measure() {
	local name=$1 path=$2
	wrk -t"$threads" -c"$connections" -d"$duration" "${@:3}" "$url$path" >"$scratch/wrk" 2>&1
	if grep -q 'Non-2xx\|Socket errors' "$scratch/wrk"; then
		cat "$scratch/wrk" >&2
		exit 1
	fi
	awk '/^Requests\/sec:/ { print $2 }' "$scratch/wrk" >>"$scratch/$name"
}

echo "$connections connections, $rounds rounds of $duration each, ${#body} bytes, on $(nproc) cores that wrk shares"
for ((round = 0; round < rounds; round++)); do
	measure get "/parse/classes/LoadTest?limit=20" -H 'X-Parse-Application-Id: myAppId'
	measure same /same
	measure post /parse/classes/LoadTest -s "$scratch/post.lua"
	measure plain /plain
done
hit=$(curl -fsS -D - -o /dev/null -H 'X-Parse-Application-Id: myAppId' "$url/parse/classes/LoadTest?limit=20" | tr -d '\r' | sed -n 's/^Cache-Status: //ip')
[[ $hit == "parsescale; hit" ]] || { echo "the find isn't answered from the cache: $hit" >&2; exit 1; }

middle() { # middle NAME: the median of what was measured
	local all
	mapfile -t all <"$scratch/$1"
	median "${all[@]}"
}
get=$(middle get) post=$(middle post) same=$(middle same) plain=$(middle plain)
printf '%-34s %9.0f requests/s\n' "cached find, GET" "$get" "cached find, the SDKs' POST" "$post" "respond, the same bytes" "$same" "respond, as many without braces" "$plain"
awk -v get="$get" -v post="$post" -v same="$same" -v plain="$plain" 'BEGIN {
	printf "GET  : respond = %.2f (the same bytes), %.2f (without braces)\nPOST : respond = %.2f (the same bytes), %.2f (without braces)\n", get / same, get / plain, post / same, post / plain
}'
