// Package redisstore keeps answers in Redis, where the other gateways of an app find them. It must not know whether an answer is
// still true, nor what it is an answer to: keys are hashes that the caller makes, and whoever takes an answer out proves by its
// position that nothing has touched it since.
//
// Nothing here holds a request up: answers are written in the background, and dropped if too many wait; a question for one takes
// a few milliseconds at most, and none is asked for a while after some have failed.
package redisstore
