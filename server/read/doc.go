// Package read is the one read path: find, get and count, with everything that decides what a caller may see of them.
// Class-level permissions, protected fields, ACLs, the special rules of sessions and users, sub-queries and includes
// are all applied here, over one snapshot, whichever door the question came through.
//
// It must not know of HTTP, nor write anything.
package read
