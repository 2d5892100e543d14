// Package breaker keeps requests from a worker that fails: one circuit breaker per worker, around
// sony/gobreaker's two-step breaker. What it adds: the open time grows with each re-open and is jittered, a probe
// whose outcome never comes gives its place free, slow calls can open it, Done may be called more than once, and the state can be read
// without a lock while a worker is chosen.
//
// The package must not know what a worker is, nor which answers count as failures: whoever asks it decides.
// Time is time.Now, because gobreaker's is.
package breaker
