// Package migration brings the classes of a database to what the configuration defines: parse-server's option schema. It
// happens at start, as a whole or not at all, and is safe with many workers that start at once: the first one does it, the
// others find nothing left to do.
//
// It must not know how classes are stored; it asks package classes for the same changes as a client of the schema API.
package migration
