// Package cloud runs an app's own functions: those written in Go, and those that are webhooks. Webhooks are kept in the
// class _Hooks, as parse-server keeps them, and looked up at each call, so that one that was registered through any
// process is known to all.
//
// It must not know of HTTP requests that come in, nor change an app's objects by itself.
package cloud
