// Package link is a worker's end of the control stream between it and the gateway that runs it: it receives what to
// serve, announces every change before it is committed, and learns when to stop.
//
// It must not know what a change is used for, how it is stored, or how the stream was made.
package link
