package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// binary is the parsescale program under test. It is built once for all tests, at first use: without the race detector,
// with the flags that xcaddy uses, so that both find each other's packages compiled.
var binary = sync.OnceValues(func() (string, error) { return build("parsescale") })

// build makes the program; flags are added to those of go build.
func build(name string, flags ...string) (string, error) {
	path := filepath.Join(scratch, name)
	args := append([]string{"build", "-trimpath", "-tags", "nobadger,nomysql,nopgx", "-ldflags", "-w -s", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "../cmd/parsescale")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build parsescale: %w\n%s", err, out)
	}
	return path, nil
}

// scratch is a folder for what all tests share. It is set before any test runs and never changed.
var scratch string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parsescale-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	return testservices.Run(m)
}
