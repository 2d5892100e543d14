// Package coding decides in which content coding an answer is sent, by what the client accepts (RFC 9110, section 12.5.3),
// and encodes bodies.
//
// It must not know of requests, of caches, nor of what the bodies hold.
package coding
