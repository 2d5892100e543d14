// Package files holds what all stores of uploaded files share: which names and kinds of files are allowed, what is known
// of a stored file, and how a store says what went wrong. The stores themselves are the packages below: disk keeps files
// in a folder, bucket in the buckets of object stores.
//
// It must not know of HTTP or of who uploads: permissions are checked by whoever calls a store. The interface of a store
// is its caller's, in package rest.
package files
