// Package peers tells the gateways of one app, whose workers share a database, of each other's changes, and says at every
// moment what of a gateway's cache may be served.
//
// It is the protocol alone (see DESIGN.md): a Node is told what the log of records brings, what the database's roster of
// gateways says, and what the gateway's own workers are about to commit. It must not know what carries the log, how the
// roster is kept, or what a cache is beyond the Cache interface.
package peers
