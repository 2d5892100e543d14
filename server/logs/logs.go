// Package logs keeps the last lines of a worker's log for the dashboard. It sits in front of the handler that writes the
// log and holds a bounded number of records in memory, each cut to a bounded size.
//
// It must not know what is logged, nor who may read it.
package logs

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// kept is how many records are held.
	kept = 1000
	// maxText is how many bytes of a text are held.
	maxText = 4 << 10
)

// Entry is one record.
type Entry struct {
	Time time.Time
	// Level is parse-server's name of it: error, warn, info or debug.
	Level   string
	Message string
	// Fields are what the record says beside its message, as text.
	Fields map[string]string
}

// Ring holds the last records. It is safe for concurrent use.
type Ring struct {
	mu      sync.Mutex
	entries []Entry
	next    int
}

// Handler returns a handler that keeps what it hands on to another one. Records below info aren't kept.
func (r *Ring) Handler(to slog.Handler) slog.Handler { return &handler{to: to, ring: r} }

func (r *Ring) add(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) < kept {
		r.entries = append(r.entries, e)
		return
	}
	r.entries[r.next] = e
	r.next = (r.next + 1) % kept
}

// Query says which records to return.
type Query struct {
	// Errors leaves out everything but errors.
	Errors bool
	// From and Until bound the time; zero: no bound.
	From, Until time.Time
	// Size is the most to return.
	Size int
	// Ascending puts the oldest first, else the newest is.
	Ascending bool
}

// Query returns records in the order asked for.
func (r *Ring) Query(q Query) []Entry {
	r.mu.Lock()
	all := slices.Concat(r.entries[r.next:], r.entries[:r.next])
	r.mu.Unlock()
	if !q.Ascending {
		slices.Reverse(all)
	}
	out := make([]Entry, 0, min(q.Size, len(all)))
	for _, e := range all {
		if len(out) >= q.Size {
			break
		}
		if q.Errors && e.Level != "error" || !q.From.IsZero() && e.Time.Before(q.From) || !q.Until.IsZero() && e.Time.After(q.Until) {
			continue
		}
		out = append(out, e)
	}
	return out
}

type handler struct {
	to     slog.Handler
	ring   *Ring
	attrs  []slog.Attr
	prefix string
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.to.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		e := Entry{Time: r.Time, Level: level(r.Level), Message: cut(r.Message), Fields: map[string]string{}}
		for _, a := range h.attrs {
			e.Fields[a.Key] = cut(a.Value.Resolve().String())
		}
		r.Attrs(func(a slog.Attr) bool {
			e.Fields[h.prefix+a.Key] = cut(a.Value.Resolve().String())
			return true
		})
		h.ring.add(e)
	}
	if !h.to.Enabled(ctx, r.Level) {
		return nil
	}
	return h.to.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	n.to = h.to.WithAttrs(attrs)
	n.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		n.attrs = append(n.attrs, slog.Attr{Key: h.prefix + a.Key, Value: a.Value})
	}
	return &n
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	n := *h
	n.to = h.to.WithGroup(name)
	if name != "" {
		n.prefix = h.prefix + name + "."
	}
	return &n
}

func level(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warn"
	}
	return "info"
}

func cut(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
