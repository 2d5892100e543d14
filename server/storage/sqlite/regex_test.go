package sqlite

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestRegexBombs runs patterns that are short enough to be sent and made to cost memory or time. Whatever the answer, it
// comes soon.
func TestRegexBombs(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	for name, c := range map[string]struct{ pattern, options, text string }{
		"repetitions written out":   {strings.Repeat("(?:"+strings.Repeat(".?", 200)+"){1000}", 8), "", long[:1000]},
		"large program, large text": {"(?:a?b?c?){400}$", "", long},
		"backtracking":              {"(?=a)(a+)+$", "", long[:1000] + "b"},
		"backtracking, x":           {"(?=a) (a+)+ $ # no", "xi", long[:1000] + "b"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			m, err := compile(c.pattern, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.match(c.text); err != nil && !errors.Is(err, errRegexTimeout) {
				t.Errorf("unexpected error: %v", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
				t.Errorf("took %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
			}
		})
	}
}
