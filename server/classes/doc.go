// Package classes creates, changes, drops and purges classes: the schema API. Who may is decided before; here is decided
// what a class may look like, and each change happens as a whole, announced, in one transaction.
//
// It must not know of HTTP, nor write single objects.
package classes
