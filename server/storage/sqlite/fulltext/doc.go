// Package fulltext is PostgreSQL's full text search for databases that lack it: to_tsvector, to_tsquery, the match
// between them and ts_rank_cd, for the languages "english" and "simple". Words come out as there: in lower case, without
// stop words, stemmed by Snowball; hyphenated words, numbers, addresses and paths are taken apart alike.
//
// It must not know of databases, nor of Parse.
package fulltext
