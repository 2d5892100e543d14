// Package coding decides in which content coding an answer is sent, by what the client accepts (RFC 9110, section 12.5.3),
// and encodes bodies.
//
// Brotli is not among the codings: who accepts it accepts gzip as well, and it would be one more module for little. Of answers with
// 5, 30 and 300 kB of objects its cheap levels (1 to 3 of github.com/andybalholm/brotli v1.2.3) make between 10 % more and 2 % less
// than gzip does, in once to twice the time; level 5 makes 8 to 9 % less in three to five times the time, and 4 to 8 % less than zstd
// in five to seven times that. Nor is a third variant of each answer worth its memory.
//
// It must not know of requests, of caches, nor of what the bodies hold.
package coding
