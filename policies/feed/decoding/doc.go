// Package decoding follows a PostgreSQL database by logical decoding, so that the cache learns of writes whoever makes
// them: parse-server on Node, an SQL console, another gateway's workers. A Feed reads the database's own log (pgoutput, a
// temporary slot), makes Changes of what it tells, and gives them to a feed.Applier. Its fences tell when everything that
// was committed before a moment has been applied.
//
// It must not know of HTTP, of Caddy, of addresses' forms, nor what an Applier does with a change. See DESIGN.md.
package decoding
