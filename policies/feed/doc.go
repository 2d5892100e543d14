// Package feed brings the changes of an app's objects to those who must know of them before they can be seen. A Hub is
// the gateway's end of the control streams of its own workers: it applies every prepared change, acknowledges it, and
// keeps what is in doubt when a worker is lost. Other transports (Redis, PostgreSQL's logical decoding) will feed the
// same Applier.
//
// It must not know of HTTP, of Caddy, of processes, nor what an Applier does with a change. See DESIGN.md.
package feed
