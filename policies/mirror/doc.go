// Package mirror sends a share of the reads to a second pool as well, after they were answered, and compares what the two
// say: the safe way to find out whether other workers would answer as the present ones do.
//
// It knows answers as a status and JSON, and must not know who asks, nor how a worker is reached. Nothing that it reports
// holds a value of an answer.
package mirror
