// Package pipeline reads the aggregation pipelines of the REST API: those stages that parse-server knows on PostgreSQL,
// where all of them together make one SELECT, in whatever order they stand.
//
// It knows the language of queries and nothing else: neither databases nor HTTP.
package pipeline
