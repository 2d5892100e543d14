// Package server is the Parse worker: it implements the Parse REST API on a database, as parse-server does for Node.
// New opens everything that a set of options names and returns an http.Handler.
//
// It must not know of Caddy, of gateways beyond the announcer it is given, or of where its requests come from.
package server
