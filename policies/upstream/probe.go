package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// probe checks the worker's health until ctx ends.
func (w *worker) probe(ctx context.Context) {
	for {
		timer := time.NewTimer(w.policy.health.ProbeAfter(time.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		o := w.pool.options.Load()
		if o.Probe.Path == "" || w.draining.Load() {
			continue // Configure may set one later; and who is about to end may not answer any more
		}
		err := w.check(ctx, o)
		if ctx.Err() != nil {
			return
		}
		if w.policy.health.Probe(err == nil) {
			if err == nil {
				o.Logger.Info("worker is up again", "worker", w.target.Name)
				o.changed(Change{w.target.Name, "health", "down", "up"})
				w.policy.node.Restart()
			} else {
				o.Logger.Warn("worker is down: it fails its health checks", "worker", w.target.Name, "error", err)
				o.changed(Change{w.target.Name, "health", "up", "down"})
			}
			w.pool.news.tell()
		}
	}
}

// check asks once, past the worker's breaker. It goes over connections of the transport: those of most requests to a remote worker,
// but not to a bundled one, whose requests mostly have connections of their own (newLocal).
func (w *worker) check(ctx context.Context, o *Options) error {
	ctx, cancel := context.WithTimeout(ctx, o.Probe.Timeout)
	defer cancel()
	path, query, _ := strings.Cut(o.Probe.Path, "?")
	u, err := w.addr.at(&url.URL{Path: path, RawQuery: query})
	if err != nil {
		return err
	}
	h := make(http.Header, len(o.Probe.Header)+1)
	h["User-Agent"] = []string{"parsescale-health"}
	for name, value := range o.Probe.Header {
		h.Set(name, value)
	}
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: w.addr.Host, Header: h}).WithContext(ctx)
	res, err := w.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &statusError{res.StatusCode}
	}
	return nil
}

// statusError is a health check that was answered with the wrong status.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("it answered with status %d", e.status) }
