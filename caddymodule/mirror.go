package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/parsescale/parsescale/policies/mirror"
	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/policies/upstream"
)

// MirrorConfig sends a share of the reads to a second pool as well and compares the answers. Clients get the first pool's
// answer and don't wait for the comparison; differences are counted and logged, without values. The upstreams get the
// requests as clients sent them, keys and session tokens included.
type MirrorConfig struct {
	// Share of the reads that are mirrored, above 0 and at most 1. Only reads that a worker answers count: what comes from
	// the cache isn't mirrored.
	Share float64 `json:"share"`
	// Upstreams are the second pool's workers, as those of an app.
	Upstreams []string `json:"upstreams"`
	// Timeout bounds each question a comparison asks. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
	// Limit is how many comparisons may be under way at a time; further ones are skipped. Default: 16.
	Limit int `json:"limit,omitempty"`
}

func (c *MirrorConfig) validate() error {
	switch {
	case !(c.Share > 0 && c.Share <= 1):
		return fmt.Errorf("mirror takes a share above 0 and at most 1 (or 100%%), not %v", c.Share)
	case len(c.Upstreams) == 0:
		return errors.New("mirror needs the upstreams that reads are mirrored to")
	case c.Limit < 0 || c.Timeout < 0:
		return errors.New("the timeout and the limit of mirror must not be negative")
	}
	return checkUpstreams(c.Upstreams)
}

// unmarshal reads `mirror <share> <upstreams...> { timeout <duration>; limit <n> }`.
func (c *MirrorConfig) unmarshal(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	share, err := parseShare(d.Val())
	if err != nil {
		return d.Errf("mirror takes %v", err)
	}
	c.Share = share
	c.Upstreams = d.RemainingArgs()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "timeout":
			err = onceDuration(d, &c.Timeout)
		case "limit":
			err = onceNumber(d, &c.Limit)
		default:
			err = d.Errf("unknown setting %q of mirror; known are timeout and limit", d.Val())
		}
		if err != nil {
			return err
		}
	}
	if err := c.validate(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// looking is a handler's second pool and what is compared with it.
type looking struct {
	*mirror.Mirror
	remotes
	targets []string
	logger  *zap.Logger
	logged  atomic.Int64 // when a difference was logged last, in ns since 1970
}

func newLooking(c *MirrorConfig, mount string, logger *zap.Logger) (*looking, error) {
	if c == nil {
		return nil, nil
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	l := &looking{logger: logger}
	for _, u := range c.Upstreams {
		full, err := upstreamURL(u)
		if err != nil {
			return nil, err
		}
		l.targets = append(l.targets, full)
	}
	l.remotes.pool = upstream.New(upstream.Options{Retries: -1, MaxWait: time.Second, Probe: upstream.Probe{Path: mount + "/health"}})
	l.Mirror = mirror.New(mirror.Options{Share: c.Share, Timeout: time.Duration(c.Timeout), Limit: c.Limit})
	return l, nil
}

// start connects the second pool; before, every comparison fails.
func (l *looking) start() error {
	if l == nil {
		return nil
	}
	return l.apply(l.targets, nil, slog.New(zapslog.NewHandler(l.logger.Core())))
}

func (l *looking) stop() error {
	if l == nil {
		return nil
	}
	l.Close()
	l.remotes.stop()
	return l.pool.Close()
}

// mirrored are the operations that only read, and answer the same to whoever asks twice.
func mirrored(op request.Op) bool {
	switch op {
	case request.Find, request.Get, request.Aggregate, request.Me, request.Config, request.Schema:
		return true
	}
	return false
}

// draw decides whether the request is mirrored.
func (x *exchange) draw() bool {
	return x.handler.looking != nil && !x.req.Write && mirrored(x.req.Op) && !x.streamed && x.r.Method != http.MethodHead && x.handler.looking.Draw()
}

// prepareWhole asks for the whole answer as it is, so that it can be compared.
func (x *exchange) prepareWhole(h http.Header, t *upstream.Target) {
	x.prepare(h, t)
	delete(h, "If-None-Match")
	delete(h, "If-Modified-Since")
	delete(h, "Accept-Encoding")
}

// compare has a worker's answer compared with the second pool's.
func (x *exchange) compare(out *upstream.Request, resp *upstream.Response) {
	if resp.Stream != nil || resp.Header.Get("Content-Encoding") != "" {
		return
	}
	l, asked := x.handler.looking, *out
	asked.Header = out.Header.Clone() // it is the client's, whose request is over soon
	ordered := x.req.Query == nil || len(x.req.Query.Order) > 0
	l.Compare(mirror.Answer{Status: resp.Status, Body: resp.Body}, ordered, ask(x.route.pool, &asked), ask(l.pool, &asked), l.report(x.req.Op, x.req.Class))
}

// report logs what differs, one difference a second: the metrics have them all.
func (l *looking) report(op request.Op, class string) func(mirror.Outcome, string) {
	return func(o mirror.Outcome, difference string) {
		now, before := time.Now().UnixNano(), l.logged.Load()
		if now-before < int64(time.Second) || !l.logged.CompareAndSwap(before, now) {
			return
		}
		l.logger.Warn("a mirrored read was answered otherwise", zap.Stringer("op", op), zap.String("class", class),
			zap.Stringer("outcome", o), zap.String("difference", difference))
	}
}

func ask(pool *upstream.Pool, r *upstream.Request) mirror.Ask {
	return func(ctx context.Context) (mirror.Answer, error) {
		resp, err := pool.Do(ctx, r)
		if err != nil {
			return mirror.Answer{}, err
		}
		if resp.Stream != nil {
			_ = resp.Stream.Close()
			return mirror.Answer{}, errors.New("the answer is too large to compare")
		}
		return mirror.Answer{Status: resp.Status, Body: resp.Body}, nil
	}
}
