// Package discovery finds workers by DNS: the addresses of a name, or the services that SRV records tell of (RFC 2782).
//
// It tells what it found, and must not know what is done with it.
package discovery
