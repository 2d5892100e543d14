package sqlite

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/parsescale/parsescale/server/change"
)

// told is an announcer, which makes a store one that a gateway is told by.
type told struct{}

func (told) Prepare(context.Context, []change.Change) (func(bool), error) { return func(bool) {}, nil }

func TestOneGatewayOrWorkersAlone(t *testing.T) {
	open := func(uri string, announced bool) (io.Closer, error) {
		o := Options{URI: uri, App: "app"}
		if announced {
			o.Announcer = told{}
		}
		s, err := Open(t.Context(), o)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	claim := func(uri string) (io.Closer, error) { return Claim(uri) }
	alone := func(uri string) (io.Closer, error) { return open(uri, false) }
	worker := func(uri string) (io.Closer, error) { return open(uri, true) }
	type opener = func(string) (io.Closer, error)
	tests := []struct {
		name          string
		first, second opener
		refused       bool
	}{
		{"a gateway, then its worker", claim, worker, false},
		{"a gateway, then a worker alone", claim, alone, true},
		{"a gateway, then another", claim, claim, true},
		{"a worker alone, then a gateway", alone, claim, true},
		{"two workers alone", alone, alone, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			uri := "sqlite://" + filepath.Join(t.TempDir(), "db", "parse.db")
			a, err := tt.first(uri)
			if err != nil {
				t.Fatal(err)
			}
			b, err := tt.second(uri)
			if refused := errors.Is(err, ErrClaimed); refused != tt.refused || (err != nil) != tt.refused {
				t.Fatalf("got %v, want refused: %v", err, tt.refused)
			}
			if b != nil {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if b, err = tt.second(uri); err != nil {
				t.Fatalf("still refused after the first let go: %v", err)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestClaimByAnotherName checks that a database has one owner whatever name it is reached by.
func TestClaimByAnotherName(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"real", "links"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"links/absolute.db": filepath.Join(dir, "real", "parse.db"), "links/relative.db": "../real/parse.db", "links/twice.db": "relative.db", "folder": "real",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skipf("left out: no symbolic links here: %v", err)
		}
	}
	uri := func(name string) string { return "sqlite://" + filepath.Join(dir, name) }
	check := func(when string) {
		t.Helper()
		for _, name := range []string{"links/absolute.db", "links/relative.db", "links/twice.db", "folder/parse.db"} {
			first, err := Claim(uri(name))
			if err != nil {
				t.Fatalf("%s, %s: %v", when, name, err)
			}
			if second, err := Claim(uri("real/parse.db")); !errors.Is(err, ErrClaimed) {
				t.Errorf("%s: %s was claimed, and the file itself could be claimed too: %v", when, name, err)
				if second != nil {
					_ = second.Close()
				}
			}
			_ = first.Close()
		}
	}
	check("before the file is there")
	s, err := Open(t.Context(), Options{URI: uri("links/twice.db"), App: "app", Announcer: told{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("once the file is there")
}
