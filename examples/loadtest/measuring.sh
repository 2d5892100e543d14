# What the scripts of this folder have in common; they source it. It needs wrk and curl, and leaves the folder of the scripts in
# $here, the repository in $root, and a folder of its own in $scratch, which the script removes.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
for program in wrk curl; do
	command -v "$program" >/dev/null || { echo "$program is missing: apt-get install $program" >&2; exit 1; }
done
scratch=$(mktemp -d)

# build leaves the program to measure in $program: the one that PARSESCALE names, or the repository's.
build() {
	program=${PARSESCALE:-}
	if [ -z "$program" ]; then
		program=$scratch/parsescale
		(cd "$root" && CGO_ENABLED=0 go build -trimpath -tags nobadger,nomysql,nopgx -ldflags "-w -s" -o "$program" ./caddymodule/cmd/parsescale)
	fi
}

# await URL PID LOG waits until the process answers; one that ends says why.
await() {
	until curl -fsS -o /dev/null "$1" 2>/dev/null; do
		kill -0 "$2" 2>/dev/null || { cat "$3" >&2; exit 1; }
		sleep 0.05
	done
}

# median NUMBER...
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
