#!/usr/bin/env bash
# Measures cached reads at a steady rate while thousands of connections are open and idle: gateways in front of one worker, all
# on one port, and for each gateway a client of its own, which says how much memory its idle connections cost, how late answers
# are and whether the idle connections still work in the end. Needs curl, and as many file descriptors per process as
# connections (ulimit -n).
#   GATEWAYS (1): how many processes share the port; with 5 that is 80,000 connections
#   IDLE (16000): idle connections per gateway
#   RATE (10000): requests per second, of all clients together; DURATION (10s): how long
#   PARSESCALE: the program to measure; default: built from this repository
set -euo pipefail
source "$(dirname "$0")/measuring.sh"
gateways=${GATEWAYS:-1} idle=${IDLE:-16000} rate=${RATE:-10000} duration=${DURATION:-10s}
if [ "$(ulimit -n)" -lt $((idle + 1000)) ]; then ulimit -n $((idle + 1000)); fi

pids=()
cleanup() {
	kill -TERM "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$scratch"
}
trap cleanup EXIT

build
(cd "$root" && CGO_ENABLED=0 go build -o "$scratch/idle" ./examples/loadtest/idle)
port=$((20000 + RANDOM % 10000))
worker=127.0.0.1:$((port + 1))
(cd "$scratch" && exec "$program" parse-server --appId myAppId --masterKey idle --databaseURI "sqlite://$scratch/parse.db" \
	--host 127.0.0.1 --port $((port + 1)) --allowClientClassCreation true) >"$scratch/worker.log" 2>&1 </dev/null &
pids+=($!)
await "http://$worker/parse/health" $! "$scratch/worker.log"
for n in {1..20}; do
	curl -fsS -o /dev/null -H 'X-Parse-Application-Id: myAppId' -H 'Content-Type: application/json' \
		-d "{\"n\":$n,\"kind\":\"book\",\"title\":\"Book number $n\",\"sold\":true}" "http://$worker/parse/classes/LoadTest"
done

processes=()
for ((g = 0; g < gateways; g++)); do
	cat >"$scratch/Caddyfile$g" <<END
{
	admin 127.0.0.1:$((port + 10 + g))
	auto_https off
	persist_config off
	servers {
		timeouts {
			idle 10m
		}
	}
}
http://127.0.0.1:$port {
	parse /parse/* $worker {
		cache {
			ttl 5s
		}
	}
}
END
	HOME=$scratch "$program" run --config "$scratch/Caddyfile$g" --adapter caddyfile >"$scratch/gateway$g.log" 2>&1 </dev/null &
	pids+=($!)
	processes+=($!)
	await "http://127.0.0.1:$((port + 10 + g))/config/" $! "$scratch/gateway$g.log"
done
await "http://127.0.0.1:$port/parse/health" "${processes[0]}" "$scratch/gateway0.log"

echo "$gateways gateways, $idle idle connections each, $rate requests/s together, on $(nproc) cores that the clients share"
clients=() failed=0
for ((g = 0; g < gateways; g++)); do
	# The kernel spreads connections over the gateways: one client doesn't know which of them are at which.
	told=
	if [ "$gateways" = 1 ]; then told=${processes[0]}; fi
	"$scratch/idle" -address "127.0.0.1:$port" -source "127.0.0.$((g + 1))" -idle "$idle" -rate $((rate / gateways)) -duration "$duration" \
		-pids "$told" -path '/parse/classes/LoadTest?where=%7B%22kind%22%3A%22book%22%7D&order=n' &
	clients+=($!)
done
for client in "${clients[@]}"; do wait "$client" || failed=1; done
for p in "${processes[@]}"; do
	echo "gateway: $(awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/$p/status") MiB, $(find "/proc/$p/fd" | wc -l) file descriptors"
done
exit "$failed"
