// Package supervisor runs the bundled workers as child processes: it starts them, gives them their configuration and
// secrets over an inherited socket, makes them members of the pool when they are ready and takes them out when they
// die, restarts them with backoff, drains them, and cleans up after a gateway that was killed.
//
// It must not know Caddy, what a worker does, or what its options mean: they are passed on as JSON.
package supervisor
