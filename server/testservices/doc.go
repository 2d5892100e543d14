// Package testservices starts, for one test, the servers that the tests of other packages talk to: a Redis, a PostgreSQL
// with PostGIS, and released Parse Server processes on it. Each is private: it runs on a free loopback port with its data
// in a temporary folder, as an unprivileged user when the test runs as root, and is stopped when the test ends. A server
// that already runs on the machine is never used.
//
// A plain `go test ./...` leaves out every test that needs such a server and says so; with PARSESCALE_TEST_ALL=1, as
// `make test` sets it, a server that is missing or doesn't start fails the test.
//
// It is for tests only and must not know what they test.
package testservices
