package testservices

import (
	"fmt"
	"os"
	"testing"
)

// folder makes a temporary folder for the account's server alone. Its name is short, because a unix socket's path may
// have 107 bytes, and it isn't below the test's own folder, which another user may have no way into.
func folder(tb testing.TB, name string, a account) (string, error) {
	tb.Helper()
	dir, err := os.MkdirTemp("", "parsescale-"+name+"-")
	if err != nil {
		return "", fmt.Errorf("cannot make a folder for %s: %w", name, err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("cannot remove the folder of %s: %v", name, err)
		}
	})
	if err := a.own(dir); err != nil {
		return "", fmt.Errorf("cannot hand over the folder of %s: %w", name, err)
	}
	return dir, nil
}
