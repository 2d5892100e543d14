// Package health decides which workers of a pool may get requests, from active probes (a worker is down after some
// failed probes in a row and up after some good ones: rise and fall) and from what requests meet (a worker whose
// connections fail several times in a row is ejected for a while, longer each time).
//
// Two rules keep the pool in use: passive ejection never takes the last available worker nor more than a share of
// them, and when none is healthy, or less than a panic threshold, all are available, because trying beats refusing, and beats
// sending everything to the few that are left (panic rule). A worker that gets no requests for another reason, such as being drained, counts for neither.
//
// The package does not probe, send or wait. It must not know how to reach a worker: whoever asks it does that, with
// the interval it is told.
package health
