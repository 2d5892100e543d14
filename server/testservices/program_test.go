package testservices

import (
	"os"
	"path/filepath"
	"testing"
)

// writeProgram writes a program that prints one line.
func writeProgram(t *testing.T, dir, line string) string {
	t.Helper()
	path := filepath.Join(dir, "node-"+line)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+line+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
