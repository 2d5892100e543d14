// Package socketpair makes pairs of connected sockets: one end stays in this process, the other goes to another one.
//
// It must not know what is said over them.
package socketpair
