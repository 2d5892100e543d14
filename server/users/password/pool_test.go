package password

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/bcrypt"
)

// quick returns a pool whose hashes cost next to nothing.
func quick(workers, queue int) *Pool {
	p := New(workers, queue)
	p.cost = bcrypt.MinCost
	return p
}

func TestHashAndCompare(t *testing.T) {
	p := quick(1, 1)
	hash, err := p.Hash(t.Context(), "pässword")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 72)
	longHash, err := p.Hash(t.Context(), long+"what follows doesn't count")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, hash, password string
		want                 bool
	}{
		{"right", hash, "pässword", true},
		{"wrong", hash, "password", false},
		{"empty password", hash, "", false},
		{"written by bcryptjs", "$2b$" + hash[4:], "pässword", true},
		{"written by the native module", "$2y$" + hash[4:], "pässword", true},
		{"72 bytes count", longHash, long, true},
		{"cut at 72 bytes", longHash, long + "anything", true},
		{"71 bytes", longHash, long[1:], false},
		{"no hash", "", "", false},
		{"not a hash", "secret", "secret", false},
		{"the dummy", "", "no password has this hash", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := p.Compare(t.Context(), tt.hash, tt.password)
			if err != nil || got != tt.want {
				t.Errorf("Compare = %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestDefaultCostIsParseServers(t *testing.T) {
	for _, hash := range []func() (string, error){
		func() (string, error) { return New(1, 1).Hash(t.Context(), "x") },
		func() (string, error) { return dummy, nil },
	} {
		h, err := hash()
		if err != nil {
			t.Fatal(err)
		}
		if c, err := bcrypt.Cost([]byte(h)); err != nil || c != 10 {
			t.Errorf("cost of %s is %d, %v; want 10", h, c, err)
		}
	}
}

func TestPoolIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1, 2)
		ctx, cancel := context.WithCancel(t.Context())
		if err := p.enter(ctx); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		for range 2 {
			go func() { ended <- p.enter(ctx) }()
		}
		synctest.Wait()
		if err := p.enter(ctx); !errors.Is(err, ErrBusy) {
			t.Fatalf("a third waits: %v", err)
		}
		p.leave()
		if err := <-ended; err != nil {
			t.Fatalf("the first that waited: %v", err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatalf("waiting doesn't end with the request: %v", err)
		}
		p.leave()
		if _, err := p.Compare(t.Context(), dummy, "x"); err != nil {
			t.Fatalf("the pool isn't empty again: %v", err)
		}
		if err := p.enter(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("a request that ended gets a slot: %v", err)
		}
	})
}
