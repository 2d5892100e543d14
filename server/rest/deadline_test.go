package rest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
)

// TestDeadline: what the gateway doesn't wait for any longer ends here too; nobody else can say so, and a nonsense says nothing.
func TestDeadline(t *testing.T) {
	const field = "X-Parsescale-Deadline-Ms"
	bounded := make(chan bool, 1)
	var waits atomic.Bool
	code := func(c *cloud.Cloud) error {
		return errors.Join(
			c.BeforeFind("A", func(ctx context.Context, _ *cloud.TriggerRequest) error {
				if waits.Load() {
					<-ctx.Done()
				}
				return nil
			}, cloud.Validator{}),
			c.Define("look", func(ctx context.Context, _ *cloud.Request) (any, error) {
				end, ok := ctx.Deadline()
				bounded <- ok && time.Until(end) < time.Hour
				return true, nil
			}, cloud.Validator{}),
		)
	}
	w := start(t, server.Environment{Gateway: true, Cloud: code}, nil)
	w.do("POST", "/classes/A", `{"n":1}`, app())
	waits.Store(true)
	if res := w.do("GET", "/classes/A", "", app(field, "20")); res.status != 400 || res.body != `{"code":124,"error":"The request timed out."}` {
		t.Errorf("a find that takes longer: %d %s", res.status, res.body)
	}
	waits.Store(false)
	for value, want := range map[string]bool{"60000": true, "0": false, "-5": false, "1e3": false, "soon": false, "99999999999999999999": false, "": false} {
		if res := w.do("POST", "/functions/look", "{}", app(field, value)); res.status != 200 || <-bounded != want {
			t.Errorf("a deadline of %q: %d %s, want it to count: %v", value, res.status, res.body, want)
		}
	}
	if res := w.do("GET", "/classes/A", "", app(field, "60000")); res.status != 200 {
		t.Errorf("a find in time: %d %s", res.status, res.body)
	}
	alone := start(t, server.Environment{Cloud: code}, nil)
	if res := alone.do("POST", "/functions/look", "{}", app(field, "60000")); res.status != 200 || <-bounded {
		t.Errorf("a worker alone believes its client: %d %s", res.status, res.body)
	}
}
