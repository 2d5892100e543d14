// Package ratelimit decides whether a request fits its key's rate, by the generic cell rate algorithm (GCRA, ITU-T
// I.371; the "leaky bucket as a meter"): one theoretical arrival time per key and policy, no windows, no timers, no
// goroutines. Over any span of length t a key is admitted at most Burst + t·Quota/Window units, exactly.
//
// It holds a bounded number of keys and drops the least recently used. A dropped key starts with a full burst when
// it returns, so whoever chooses keys must not let clients mint them (an application id nobody knows, say, goes to
// the bucket of its address).
//
// The package must not know what a key means, nor anything of HTTP but the text of three header fields.
package ratelimit
