// Package apptest puts the read path, the write path and the users on a real store, SQLite in a temporary folder or what
// testservices.DatabaseVariable asks for, and
// plays scenarios on them: requests as text, with the answers they must get.
//
// It is for tests only.
package apptest
