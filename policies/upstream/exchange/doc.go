// Package exchange is the client's side of HTTP/1.1 for requests whose body is at hand, on connections to a server on the same
// machine: what is sent is written at once, and the goroutine that asks is the one that reads the answer.
//
// net/http's Transport keeps two goroutines for each connection, so that an answer may begin while a large body is still being
// sent, and hands each request from one to the other. Here nothing is handed over, for which a request has to fit into what the
// socket takes (MaxRequest).
//
// It repeats nothing of which a byte was sent: whoever asks learns whether one was, and on what kind of connection. It must not
// know of workers or pools, nor of Parse.
package exchange
