package testservices

import (
	"os"
	"testing"
)

// AllVariable is the environment variable that, when it is "1", forbids leaving out any test.
const AllVariable = "PARSESCALE_TEST_ALL"

// All reports whether every test must run.
func All() bool { return os.Getenv(AllVariable) == "1" }

// Need leaves the test out unless all tests must run; what names what it needs beyond Go, in words for a person. It is
// the one place where tests are left out for want of a server. The functions of this package that start a server call
// it themselves.
func Need(tb testing.TB, what string) {
	tb.Helper()
	if !All() {
		tb.Skipf("left out: needs %s; `make test` installs it and runs every test (%s=1)", what, AllVariable)
	}
}

// NeedTime leaves out a test that takes long, in a short run (-short), unless all tests must run.
func NeedTime(tb testing.TB, what string) {
	tb.Helper()
	if testing.Short() && !All() {
		tb.Skipf("left out of a -short run: %s", what)
	}
}
