// Package postgres keeps an app's objects in a PostgreSQL database, in exactly the tables, indexes and functions that
// parse-server makes, so that both may work on one database at the same time. What is its own (write ids, the version of
// the schema, the order of changes) lies in the schema "parsescale", where parse-server doesn't look.
//
// A read is one round trip where it can be: see package storage's DESIGN.md. The package must not know of HTTP.
package postgres
