#!/usr/bin/env bash
# Measures a worker that runs alone against the floor (the folder floor: net/http, the same SQL, JSON by hand) and, on
# PostgreSQL, against one Node parse-server; in alternation, so that a machine's moods hit all of them. Prints the median
# of the rounds in requests per second, ratios, memory after the load and the time from start to the first answer.
#   compare.sh sqlite | postgres
#   ROUNDS (3), DURATION (5s), CONNECTIONS (64): how often, how long, with how many connections wrk asks
#   PARSESCALE: the program to measure; default: built from this repository
#   POSTGRES: a server's address without a database, postgres://user@host:port, in which three databases compare_… may
#   be made anew; default: a private server, for which Debian's postgresql must be installed
#   NODE_MODULES: the folder that holds parse-server; default: caddymodule/e2e/node_modules (make npm), without it no Node
set -euo pipefail
source "$(dirname "$0")/measuring.sh"
kind=${1:-sqlite}
rounds=${ROUNDS:-3} duration=${DURATION:-5s} connections=${CONNECTIONS:-64}
export PARSE_SERVER_APPLICATION_ID=myAppId PARSE_SERVER_REST_API_KEY=

chmod 755 "$scratch"
declare -A pid url first rss result
postgres_pid=
cleanup() {
	local p
	for p in "${pid[@]}" $postgres_pid; do
		kill -INT "$p" 2>/dev/null || true
	done
	wait
	rm -rf "$scratch"
}
trap cleanup EXIT

# postgres_server prints the address of the server to use; a private one ends with the script.
postgres_server() {
	local bin port who=()
	bin=$(dirname "$(find /usr/lib/postgresql/*/bin/postgres | tail -n 1)")
	port=$((20000 + RANDOM % 20000))
	if [ "$(id -u)" = 0 ]; then
		who=(setpriv --reuid=postgres --regid=postgres --clear-groups)
		install -d -o postgres -g postgres "$scratch/postgres"
	else
		mkdir "$scratch/postgres"
	fi
	"${who[@]}" "$bin/initdb" --no-sync -A trust -U postgres -E UTF8 --locale=C.UTF-8 -D "$scratch/postgres/data" >/dev/null
	# Durable as in production: fsync and synchronous_commit stay on.
	"${who[@]}" "$bin/postgres" -D "$scratch/postgres/data" -k "$scratch/postgres" -p "$port" -c listen_addresses=127.0.0.1 \
		-c shared_buffers=256MB >"$scratch/postgres.log" 2>&1 &
	postgres_pid=$!
	for _ in {1..100}; do
		if "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; then break; fi
		sleep 0.1
	done
	server=postgres://postgres@127.0.0.1:$port
}

database() { # database SYSTEM: its own, empty
	if [ "$kind" = sqlite ]; then
		echo "sqlite://$scratch/$1/parse.db"
		return
	fi
	psql -q "$server/postgres" -c "DROP DATABASE IF EXISTS compare_$1" -c "CREATE DATABASE compare_$1" >&2
	psql -q "$server/compare_$1" -c 'CREATE EXTENSION IF NOT EXISTS postgis' >&2
	echo "$server/compare_$1"
}

# start SYSTEM COMMAND...: runs it in a folder of its own and waits for its first answer.
start() {
	local name=$1 begin
	shift
	begin=$(date +%s%N)
	(cd "$scratch/$name" && exec "$@") >"$scratch/$name.log" 2>&1 </dev/null &
	pid[$name]=$!
	until curl -fsS -o /dev/null "${url[$name]}/parse/health" 2>/dev/null; do
		kill -0 "${pid[$name]}" 2>/dev/null || { cat "$scratch/$name.log" >&2; exit 1; }
		sleep 0.005
	done
	first[$name]=$((($(date +%s%N) - begin) / 1000000))
}

case $kind in
sqlite) systems=(floor worker) ;;
postgres)
	systems=(floor worker)
	modules=${NODE_MODULES:-$root/caddymodule/e2e/node_modules}
	if [ -d "$modules/parse-server" ]; then systems+=(node); else echo "no Node: $modules has no parse-server" >&2; fi
	server=${POSTGRES:-}
	[ -n "$server" ] || postgres_server
	;;
*) echo "compare.sh sqlite | postgres" >&2; exit 2 ;;
esac

build
(cd "$root" && CGO_ENABLED=0 go build -o "$scratch/floor-program" ./examples/loadtest/floor)

next=$((20000 + RANDOM % 20000))
for system in "${systems[@]}"; do
	mkdir "$scratch/$system"
	next=$((next + 1))
	url[$system]=http://127.0.0.1:$next
	uri=$(database "$system")
	case $system in
	floor) start floor "$scratch/floor-program" -listen "127.0.0.1:$next" -database "$uri" ;;
	worker) start worker "$program" parse-server --appId myAppId --masterKey compare --databaseURI "$uri" --port "$next" --host 127.0.0.1 \
		--allowClientClassCreation true ;;
	node) start node node "$modules/parse-server/bin/parse-server" --appId myAppId --masterKey compare --databaseURI "$uri" \
		--port "$next" --host 127.0.0.1 --allowClientClassCreation true --serverURL "${url[node]}/parse" --verifyServerUrl false --silent true ;;
	esac
done

# 1,000 objects in ten kinds of 100 each, an index on the kind.
api=(-H 'X-Parse-Application-Id: myAppId' -H 'Content-Type: application/json' -H 'X-Parse-Master-Key: compare')
declare -A id
for system in "${systems[@]}"; do
	for n in {1..1000}; do
		echo "--next"
		echo "url = \"${url[$system]}/parse/classes/LoadTest\""
		echo 'header = "X-Parse-Application-Id: myAppId"'
		echo 'header = "Content-Type: application/json"'
		echo "data = \"{\\\"n\\\":$n,\\\"kind\\\":\\\"k$((n % 10))\\\",\\\"title\\\":\\\"Book number $n\\\",\\\"sold\\\":false,\\\"tags\\\":[\\\"a\\\",\\\"b\\\"],\\\"nested\\\":{\\\"deep\\\":true}}\""
		echo 'write-out = "\n"'
	done | tail -n +2 | curl -fsS -K - >"$scratch/made"
	id[$system]=$(tail -n 1 "$scratch/made" | sed -n 's/.*"objectId":"\([A-Za-z0-9]*\)".*/\1/p')
	if [ "$system" != floor ]; then
		curl -fsS -o /dev/null "${api[@]}" -X PUT -d '{"className":"LoadTest","indexes":{"LoadTest_kind":{"kind":1}}}' "${url[$system]}/parse/schemas/LoadTest"
	fi
	if [ "$kind" = postgres ]; then psql -q "$server/compare_$system" -c 'VACUUM ANALYZE "LoadTest"'; fi
done

find_path='/parse/classes/LoadTest?where=%7B%22kind%22%3A%22k3%22%7D&limit='
measure() { # measure SYSTEM WORKLOAD DURATION: requests per second
	local path=$find_path${2#find} form=get
	case $2 in
	get) path=/parse/classes/LoadTest/${id[$1]} ;;
	create) path=/parse/classes/LoadTest form=create ;;
	esac
	wrk -t1 -c"$connections" -d"$3" --latency -s "$here/compare.lua" "${url[$1]}" -- "$form" "$path" >"$scratch/wrk" 2>&1 ||
		{ cat "$scratch/wrk" >&2; exit 1; }
	if ! grep -q '^result .*, 0 failed' "$scratch/wrk"; then cat "$scratch/wrk" >&2; tail -5 "$scratch/$1.log" >&2; exit 1; fi
	sed -n 's/^result \([0-9]*\) .*/\1/p' "$scratch/wrk"
}


workloads=(get find20 find100 create)
echo "$kind: $connections connections, median of $rounds rounds of $duration, on $(nproc) cores that wrk and the database share"
for workload in "${workloads[@]}"; do
	for system in "${systems[@]}"; do measure "$system" "$workload" 2s >/dev/null; done # warm
	for ((round = 0; round < rounds; round++)); do
		for system in "${systems[@]}"; do
			result[$system.$workload]+=" $(measure "$system" "$workload" "$duration")"
		done
	done
	for system in "${systems[@]}"; do
		# shellcheck disable=SC2086 # a list of numbers
		result[$system.$workload]=$(median ${result[$system.$workload]})
	done
done
for system in "${systems[@]}"; do
	rss[$system]=$(awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/${pid[$system]}/status")
done

printf '%-9s' requests/s; printf '%10s' "${systems[@]}" worker:floor; [[ ${systems[*]} != *node* ]] || printf '%13s' worker:node; echo
for workload in "${workloads[@]}"; do
	printf '%-9s' "$workload"
	for system in "${systems[@]}"; do printf '%10s' "${result[$system.$workload]}"; done
	awk -v w="${result[worker.$workload]}" -v f="${result[floor.$workload]}" -v n="${result[node.$workload]:-0}" \
		'BEGIN { printf "%12.2f", w / f; if (n > 0) printf "%13.1f", w / n; print "" }'
done
printf '%-9s' 'MiB'; for system in "${systems[@]}"; do printf '%10s' "${rss[$system]}"; done; echo
printf '%-9s' 'start ms'; for system in "${systems[@]}"; do printf '%10s' "${first[$system]}"; done; echo
