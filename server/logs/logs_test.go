package logs_test

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/logs"
)

func TestRing(t *testing.T) {
	var r logs.Ring
	var written strings.Builder
	l := slog.New(r.Handler(slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelWarn})))
	l.Debug("never kept")
	l.Info("one", "a", 1)
	l.With("w", "x").WithGroup("g").Warn("two", "b", true)
	l.Error("three", "long", strings.Repeat("x", 10_000))
	if got := written.String(); strings.Contains(got, "one") || !strings.Contains(got, "two") || !strings.Contains(got, "three") {
		t.Errorf("the handler behind it got %s", got)
	}
	text := func(q logs.Query) string {
		var out []string
		for _, e := range r.Query(q) {
			out = append(out, e.Level+" "+e.Message)
		}
		return strings.Join(out, ", ")
	}
	for _, tt := range []struct {
		name string
		q    logs.Query
		want string
	}{
		{"newest first", logs.Query{Size: 10}, "error three, warn two, info one"},
		{"oldest first", logs.Query{Size: 10, Ascending: true}, "info one, warn two, error three"},
		{"errors", logs.Query{Size: 10, Errors: true}, "error three"},
		{"two", logs.Query{Size: 2}, "error three, warn two"},
		{"none", logs.Query{}, ""},
		{"before", logs.Query{Size: 10, Until: time.Now().Add(-time.Hour)}, ""},
		{"after", logs.Query{Size: 10, From: time.Now().Add(time.Hour)}, ""},
	} {
		if got := text(tt.q); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	all := r.Query(logs.Query{Size: 10})
	if f := all[1].Fields; f["w"] != "x" || f["g.b"] != "true" {
		t.Errorf("fields %v", f)
	}
	if n := len(all[0].Fields["long"]); n > 5000 {
		t.Errorf("a text of %d bytes is kept", n)
	}
}

func TestRingIsBounded(t *testing.T) {
	var r logs.Ring
	l := slog.New(r.Handler(slog.DiscardHandler))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				l.Info(strconv.Itoa(i))
			}
		})
	}
	wg.Wait()
	l.Info("last")
	all := r.Query(logs.Query{Size: 1 << 30})
	if len(all) != 1000 || all[0].Message != "last" {
		t.Errorf("%d entries, the newest %q", len(all), all[0].Message)
	}
}
