// Package ledger keeps the theoretical arrival times of rate limits in Redis, so that several gateways count together: it is
// the ratelimit.Ledger of a deployment.
//
// A key's value is one number, gone when it has passed: as many keys are there as were charged within their limits' time. All
// decisions are made by Redis in one script each, by Redis's own clock. The keys of an app share a hash tag, so that its
// script runs on one node of a Redis Cluster.
//
// A Redis that is gone, or slower than the time-out, isn't asked by requests any more after a few failures; one question a
// moment finds out in the background when it is back.
//
// The package must not know what is counted, nor what is done without Redis.
package ledger
