// Package storetest is the tests that every store must pass, whatever its database, and what they are made of.
//
// It is for tests only.
package storetest
