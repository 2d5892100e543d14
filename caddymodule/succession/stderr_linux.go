package succession

import (
	"os"

	"golang.org/x/sys/unix"
)

// replaceStderr has everything that prints to the standard error print to f.
func replaceStderr(f *os.File) error { return unix.Dup3(int(f.Fd()), 2, 0) }
