// Package balance picks a worker for a request: the better of two drawn at random, by the latency each has shown
// lately (peak-EWMA, as in Finagle's load balancers) and the requests it has under way.
//
//   - A latency above the average is taken over at once, one below it slowly; what a node once showed fades with time
//     even when it gets no requests, so a slow node is tried again by and by.
//   - A node of unknown latency gets one request and no second before the first was answered. Requests that take what they take,
//     such as jobs, don't count for that: a node that has nothing else is taken for as fast as the one it is compared with.
//   - A new or restarted node counts as slower than it is for a while (slow start).
//   - A failure counts as a long latency, so that failing fast doesn't look like working fast.
//   - Requests that cost less together go to one node, until it has many of them (Gather).
//
// The package must not know what a node is, whether it is healthy, nor what a request asks for.
package balance
