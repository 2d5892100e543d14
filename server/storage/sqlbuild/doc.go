// Package sqlbuild turns queries and writes into SQL, for the databases a Dialect describes. The meaning of a query is
// decided here, once: types, NULLs, unknown fields and sub-queries; a Dialect only spells it.
//
// Every value is bound, every identifier goes through AppendIdent. The package must not know of connections, nor of any
// one database.
package sqlbuild
