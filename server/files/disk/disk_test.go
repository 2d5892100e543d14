package disk

import (
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/files/storetest"
)

func open(t *testing.T, key string) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	s, err := Open(Options{Folder: dir, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

func TestStore(t *testing.T) {
	for name, key := range map[string]string{"plain": "", "encrypted": "secret"} {
		t.Run(name, func(t *testing.T) {
			s, dir := open(t, key)
			storetest.Run(t, s, storetest.Traits{Metadata: true, Tags: true, List: func(t *testing.T) []string { return list(t, dir) }})
		})
	}
}

// TestLayout: parse-server's adapter finds what is stored here.
func TestLayout(t *testing.T) {
	s, dir := open(t, "")
	if err := s.Create(t.Context(), "d/a b@.txt", strings.NewReader("x"), 1, files.Properties{}); err != nil {
		t.Fatal(err)
	}
	if names := list(t, dir); len(names) != 1 || names[0] != "d%2Fa%20b%40.txt" {
		t.Errorf("the folder holds %q", names)
	}
}

// TestReadsParseServersFiles reads a file that @parse/fs-files-adapter 3.0.0 wrote with the encryption key "secret".
func TestReadsParseServersFiles(t *testing.T) {
	s, dir := open(t, "secret")
	data, err := base64.StdEncoding.DecodeString("gsue3MOKrXifa5i3lopqi1wAnhGMRV63YCVx3DU1yxa2zQGYiZCGZ4/rHhucuO0=")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "d%2Fa%20b.txt")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(t.Context(), "d/a b.txt", files.Span{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(f)
	f.Close()
	if err != nil || string(got) != "hello from node" || f.Size != int64(len(got)) {
		t.Errorf("it holds %q (%d bytes), %v", got, f.Size, err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"the first byte":    func(b []byte) []byte { b[0] ^= 1; return b },
		"the last byte":     func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"the nonce":         func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
		"shorter":           func(b []byte) []byte { return b[1:] },
		"not encrypted":     func([]byte) []byte { return []byte("plain text that is longer than a nonce and a tag") },
		"nothing":           func([]byte) []byte { return nil },
		"shorter than tags": func(b []byte) []byte { return b[:31] },
	} {
		if err := os.WriteFile(path, change(append([]byte(nil), data...)), 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := s.Open(t.Context(), "d/a b.txt", files.Span{}); err == nil {
			f.Close()
			t.Errorf("%s: a changed file was believed", name)
		}
	}
}

func TestNoPathLeadsOut(t *testing.T) {
	s, dir := open(t, "")
	secret := filepath.Join(filepath.Dir(dir), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(dir), filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "up", "up/secret", "../secret"} {
		if f, err := s.Open(t.Context(), name, files.Span{}); err == nil {
			f.Close()
			t.Errorf("Open(%q) succeeded", name)
		}
		_ = s.Create(t.Context(), name, strings.NewReader("x"), 10, files.Properties{}) // may replace the link, which is inside
		_ = s.Delete(t.Context(), name)
	}
	if data, err := os.ReadFile(secret); err != nil || string(data) != "s" {
		t.Errorf("the file outside is %q, %v", data, err)
	}
}

func TestAbandonedUploadsAreRemoved(t *testing.T) {
	_, dir := open(t, "")
	old, fresh := filepath.Join(dir, tempPrefix+"old"), filepath.Join(dir, tempPrefix+"fresh")
	for _, f := range []string{old, fresh} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Folder: dir})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Error("the old upload is still there")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error("an upload under way was removed")
	}
}

// TestTroubleIsNoMissingFile: a folder that can't be read isn't an empty one.
func TestTroubleIsNoMissingFile(t *testing.T) {
	s, _ := open(t, "")
	s.Close()
	if _, err := s.Open(t.Context(), "a", files.Span{}); err == nil || strings.Contains(err.Error(), "not found") {
		t.Errorf("Open: %v", err)
	}
	if err := s.Delete(t.Context(), "a"); err == nil || strings.Contains(err.Error(), "not found") {
		t.Errorf("Delete: %v", err)
	}
}

func FuzzStoreNames(f *testing.F) {
	for _, s := range []string{"a", "../a", "a/b", "a\x00", ".a", "..%2fa"} {
		f.Add(s)
	}
	dir := f.TempDir()
	s, err := Open(Options{Folder: filepath.Join(dir, "in")})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if err := s.Create(t.Context(), name, strings.NewReader("x"), 1, files.Properties{}); err == nil {
			if files.CheckStored(name) != nil {
				t.Errorf("%q was stored", name)
			}
			if err := s.Delete(t.Context(), name); err != nil {
				t.Errorf("%q can't be deleted: %v", name, err)
			}
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Fatalf("%q led out: %v", name, entries)
		}
	})
}

// TestLongNames: no note fits beside a file whose name is just short enough, and a longer name is no file's.
func TestLongNames(t *testing.T) {
	s, dir := open(t, "")
	name := strings.Repeat("x", 251) + ".txt"
	if err := s.Create(t.Context(), name, strings.NewReader("x"), 1, files.Properties{}); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Properties(t.Context(), name); err != nil || p.Metadata != nil {
		t.Errorf("%v, %v", p, err)
	}
	if err := s.Delete(t.Context(), name); err != nil {
		t.Error(err)
	}
	if names := list(t, dir); len(names) != 0 {
		t.Errorf("the folder holds %q", names)
	}
	if err := s.Create(t.Context(), name, strings.NewReader("x"), 1, files.Properties{Metadata: map[string]any{"a": 1.0}}); err == nil {
		t.Error("metadata is lost")
	}
	longer := "x" + name
	_, opened := s.Open(t.Context(), longer, files.Span{})
	_, told := s.Properties(t.Context(), longer)
	for what, err := range map[string]error{"opened": opened, "its properties": told, "deleted": s.Delete(t.Context(), longer)} {
		if !errors.Is(err, files.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
