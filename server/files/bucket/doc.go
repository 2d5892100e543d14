// Package bucket keeps uploaded files in the buckets of object stores: Amazon S3 and what speaks its protocol, Google Cloud
// Storage, Azure Blob Storage. All are reached through gocloud.dev/blob; what that library has no words for is asked of each
// store's own client. Objects have the names and properties that parse-server's adapters give them, so that both can serve one
// bucket.
//
// Nothing is asked of a store before the first file is. A store that stalls is given up, and a caller who is gone ends what was
// begun.
//
// It must not know of HTTP requests, of the options of parse-server or of who uploads.
package bucket
