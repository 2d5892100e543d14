// Package cloud runs an app's own functions and triggers: those written in Go, and those that are webhooks. Webhooks are
// kept in the class _Hooks, as parse-server keeps them. Those of functions are looked up at each call; those of triggers,
// which every read and write asks for, are read at most once a second.
//
// It must not know of HTTP requests that come in, nor change an app's objects by itself.
package cloud
