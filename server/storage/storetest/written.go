package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/storage"
)

// written is what can be found out of a write by its id.
func written(t *testing.T, d Database) {
	now := time.Now()
	s := d.Open(t, Options{App: "app", Clock: func() time.Time { return now }})
	c := PutClass(t, s, "A", "n Number")
	check := func(when, id, want string, found bool) {
		t.Helper()
		result, ok, err := s.Written(ctx, id)
		if err != nil || ok != found || string(result) != want {
			t.Errorf("%s: %q, %v, %v; want %q, %v", when, result, ok, err, want, found)
		}
	}
	write := func(id, objectID string, fail error) {
		t.Helper()
		_, _, err := s.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
			return []byte("answer " + objectID), errors.Join(tx.Insert(ctx, c, storage.Object{"objectId": objectID}), fail)
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
	}
	check("before it is done", "w1", "", false)
	write("w1", "1", nil)
	check("once it is done", "w1", "answer 1", true)
	check("another", "w2", "", false)
	write("w2", "2", errors.New("no"))
	check("one that failed", "w2", "", false)
	other := d.Open(t, Options{App: "app", Clock: func() time.Time { return now }})
	if result, found, err := other.Written(ctx, "w1"); err != nil || !found || string(result) != "answer 1" {
		t.Errorf("another process sees %q, %v, %v", result, found, err)
	}
	if _, repeated, err := s.Write(ctx, "w1", func(storage.Tx) ([]byte, error) { return nil, nil }); err != nil || !repeated {
		t.Errorf("a repeat: %v, %v", repeated, err)
	}
	now = now.Add(time.Hour)
	check("long ago", "w1", "", false)
}
