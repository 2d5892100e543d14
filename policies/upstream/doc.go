// Package upstream is a pool of Parse workers and the way one request is sent to it: which worker is asked, when the
// request is repeated on another one, and when the outcome of a write has to be reported as unknown.
//
// What is sent to a bundled worker goes through package exchange, if all of it is there; streams, upgraded connections and remote
// workers have net/http's Transport.
//
// A pool outlives configuration reloads, so that connections, breakers, latencies and health survive them. Its
// membership changes at run time: the supervisor adds and removes child processes, a configuration adds and removes
// remote workers.
//
// It must not know what a Parse request means (its caller says whether a request writes), who its caller's client is
// (its caller prepares the headers that tell), nor anything of Caddy or of processes.
package upstream
