// Package write is the one write path: create, update and delete, with everything that decides whether and how. Bodies
// are checked, the schema grows, operations are computed, users, roles and sessions follow their rules, and every
// change is announced, all of it in one transaction: a write happens as a whole or not at all.
//
// It must not know of HTTP, nor of who listens to changes.
package write
