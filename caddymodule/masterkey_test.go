package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestStoredMasterKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	keys := make([]string, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			k, file, err := storedMasterKey(dir)
			if err != nil || file != filepath.Join(dir, masterKeyFile) {
				t.Errorf("storedMasterKey: %q, %v", file, err)
			}
			keys[i] = k
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || len(k) != 48 {
			t.Fatalf("starts at once got different keys or a short one: %d characters", len(k))
		}
	}
	info, err := os.Stat(filepath.Join(dir, masterKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.key.*")); len(left) > 0 {
		t.Fatalf("temporary files left: %v", left)
	}
}

func TestStoredMasterKeyRefused(t *testing.T) {
	tests := []struct {
		name, content string
		mode          os.FileMode
		want          string
	}{
		{"readable by others", "0123456789abcdef0123", 0o644, "can be read by others"},
		{"empty", "", 0o600, "less than 16 characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, masterKeyFile), []byte(tt.content), tt.mode); err != nil {
				t.Fatal(err)
			}
			if _, _, err := storedMasterKey(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
