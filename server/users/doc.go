// Package users signs users up, logs them in and out, and tells them who they are. It puts together what the read path,
// the write path and the password pool do; the rules of users and sessions as objects are the write path's.
//
// It must not know of HTTP.
package users
