// Package auth finds out who asks and what they may do: the session behind a token, the user's roles, class-level
// permissions, protected fields, and the classes that no client may touch.
//
// It decides over one consistent snapshot, so that a decision and what it guards are of the same moment. It must not
// know of HTTP, nor change anything.
package auth
