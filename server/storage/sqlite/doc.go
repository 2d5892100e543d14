// Package sqlite stores an app in one SQLite file that several processes share: the Store of package storage on
// modernc.org/sqlite. See DESIGN.md of package storage for how reading and writing work.
//
// It must not know of permissions, HTTP or what a change means to those it announces it to.
package sqlite
