// Package ratelimit decides whether a request fits its key's rate, by the generic cell rate algorithm (GCRA, ITU-T
// I.371; the "leaky bucket as a meter"): one theoretical arrival time per key and policy, no windows and no timers.
// Over any span of length t a key is admitted at most Burst + t·Quota/Window units, exactly.
//
// It holds a bounded number of keys and drops the least recently used. A dropped key starts with a full burst when
// it returns, so clients must not mint keys: Known is what workers have accepted of what clients send, and nothing else
// is a key. Zones are rates for some requests and some key each, charged together.
//
// Several gateways keep their limits together through a Ledger, which one implements elsewhere: Shared asks it before each
// request, or reports to it in the background, and says what happens without it.
//
// The package must not know what a ledger is made of, nor anything of HTTP but the text of three header fields.
package ratelimit
