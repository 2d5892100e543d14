package sqlite

import (
	"context"
	"errors"
	"io"
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
