// Package disk keeps uploaded files in a folder on the local disk, laid out as parse-server's file system adapter does: all
// files in one folder, each under its name with the special characters percent-encoded, and encrypted the same way where a
// key is set. Metadata and tags, which that adapter drops, are kept beside the file in a hidden one.
//
// It must not know of HTTP or of who uploads.
package disk
