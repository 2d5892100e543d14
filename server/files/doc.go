// Package files keeps uploaded files in a folder on the local disk and decides which names and kinds of files are
// allowed. The layout is that of parse-server's file system adapter: one file per name, directories for names with
// slashes.
//
// It must not know of HTTP or of who uploads: permissions are checked by whoever calls it.
package files
