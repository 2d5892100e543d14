// Package query is the language of Parse queries: the values and the where of the REST API as a syntax tree, its
// parser, its canonical form, a three-valued matcher that decides whether an object satisfies a where, and an index
// that finds, among many wheres, those a changed object may concern.
//
// It is the one meaning of a query that the cache, LiveQuery and the SQL builder share. It must not know of storage,
// HTTP, permissions or the cache, and imports nothing else of this module.
package query
