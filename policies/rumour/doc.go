// Package rumour tells several gateways of each other's broken workers: each writes to a board in Redis, again and again, which workers
// its own requests failed on, and reads what the others write there. So one lost message does nothing, and a Redis that has lost
// everything knows it again after a moment.
//
// What is heard is a hint, never an order: a gateway that is cut off from the workers finds all of them broken, and must not take
// them from the others. Whoever is told decides: by a check of its own, or since more than half of all gateways, and two
// others at least, say the same. Each thing that is said counts once, and nobody says what it only has heard.
//
// The package must not know what a breaker is, how a worker is checked, nor what is done about it. Without Redis it does nothing.
package rumour
