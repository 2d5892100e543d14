// Package handover keeps HTTP/1.1 connections across a change of the configuration. Caddy starts a new server on the same
// address and shuts the old one down, which closes every connection that is idle at that moment. A client that sends a
// request just then sees its connection break before an answer, and can't know whether a write was done. Here the old
// server's idle connections go on under the new one instead, with whatever the client has sent meanwhile. Where another process
// takes the place of this one, they are given to that.
//
// It knows connections and the states that net/http gives them, and must not know what is said on them. Connections above TLS, and
// those that others have wrapped, can't be handed over. It counts them, so that a server may wait for their clients to leave; HTTP/2
// tells its clients to go elsewhere by itself.
package handover
