package cloud

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
)

// hookAge is for how long the webhooks of triggers that were read are taken to be all there are. One that was registered
// through this process counts at once, one that was registered through another process after this time at the latest.
const hookAge = time.Second

// place is where a trigger is.
type place struct {
	class string
	kind  trigger.Kind
}

// hookTable knows the webhooks of triggers without asking the database each time: at most once in hookAge, and only when
// there are requests.
type hookTable struct {
	store storage.Store
	now   func() time.Time

	known atomic.Pointer[knownHooks]
	// reading has room for the one who reads. The others wait no longer than their contexts last.
	reading chan struct{}
	// changes counts what was registered here, so that what was read before isn't taken for what is there after.
	changes atomic.Int64
}

type knownHooks struct {
	read    time.Time
	changes int64
	urls    map[place]string
	sets    map[string]trigger.Set
	finding bool // some are of finds
}

// get returns what is known. Without an answer of the database there is none: a webhook may be what keeps data valid.
func (t *hookTable) get(ctx context.Context) (*knownHooks, error) {
	if k := t.fresh(ctx); k != nil {
		return k, nil
	}
	select {
	case t.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot wait for the webhooks to be read: %w", ctx.Err())
	}
	defer func() { <-t.reading }()
	if k := t.fresh(ctx); k != nil {
		return k, nil
	}
	next := &knownHooks{read: t.now(), changes: t.changes.Load()}
	err := t.store.Read(ctx, func(s storage.Snapshot) error {
		next.urls, next.sets, next.finding = map[place]string{}, map[string]trigger.Set{}, false
		return find(ctx, s, &query.Exists{Path: "triggerName", Want: true}, func(h Hook) {
			kind, ok := trigger.ParseKind(h.TriggerName)
			if !ok || h.ClassName == "" || h.URL == "" {
				return
			}
			next.urls[place{h.ClassName, kind}] = h.URL
			next.sets[h.ClassName] |= trigger.Of(kind)
			next.finding = next.finding || trigger.Finds.Has(kind) && h.ClassName != Files
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the webhooks: %w", err)
	}
	t.known.Store(next)
	return next, nil
}

// fresh returns what is known, if it is good enough. Within a transaction nothing is read, which might not be committed.
func (t *hookTable) fresh(ctx context.Context) *knownHooks {
	k := t.known.Load()
	if k == nil || !storage.Inside(ctx) && (k.changes != t.changes.Load() || t.now().Sub(k.read) > hookAge) {
		return nil
	}
	return k
}

// forget has the webhooks read again.
func (t *hookTable) forget() { t.changes.Add(1) }
