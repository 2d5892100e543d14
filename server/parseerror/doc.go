// Package parseerror is the error that clients see: a code of the Parse API, a message, and how both become an HTTP
// status and a JSON body.
//
// It holds no policy beyond that mapping. It must not know who asks, nor of HTTP beyond status numbers.
package parseerror
