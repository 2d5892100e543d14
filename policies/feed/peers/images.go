package peers

import (
	"slices"
	"sync"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// Images keeps the promise of a gateway's own writes in bounded mode. The image of an object before an own write may hold what
// another gateway wrote and hasn't told yet: then it is newer than what is cached, and comparing it with the image after the
// write doesn't tell what the write alters of that. Such images are taken out, and the cache takes them for unknown.
//
// An image is as good as what is cached if the write that made it was heard, or is so old that it must have been: its updatedAt
// tells. That compares the clocks of two machines; they may differ by the skew at most.
//
// It stands before the cache, for own changes (Own) and for those of others.
type Images struct {
	cache Cache
	now   func() time.Time

	mu         sync.Mutex
	heard, old map[object]time.Time // updatedAt of the image after the latest write that was heard, of this time and the one before
	turned     time.Time
}

// object names an object of a class.
type object struct{ class, id string }

const (
	// skew is how far clocks may be apart, unheard how old a write may be that wasn't heard, as long as what is older is served.
	skew    = 5 * time.Second
	unheard = 5 * time.Second
	// maxRemembered bounds what is remembered of each time; beyond it images are taken out that needn't be.
	maxRemembered = 32 << 10
)

// NewImages stands before a cache. now is the time of day; nil: time.Now.
func NewImages(c Cache, now func() time.Time) *Images {
	if now == nil {
		now = time.Now
	}
	return &Images{cache: c, now: now, heard: map[object]time.Time{}, turned: now()}
}

// Prepare takes another gateway's changes to the cache.
func (i *Images) Prepare(changes []change.Change) (finish func()) {
	i.remember(changes)
	return i.cache.Prepare(changes)
}

// Purge implements Cache.
func (i *Images) Purge(class, objectID string) int { return i.cache.Purge(class, objectID) }

// Own is the way of this gateway's own changes to the cache. It implements feed.Applier.
type Own struct{ *Images }

// Prepare takes the images out that can't be trusted, in a copy: others are told of the changes as they are.
func (o Own) Prepare(changes []change.Change) (finish func()) {
	trusted, copied := changes, false
	for n := range changes {
		if ch := &changes[n]; ch.Before != nil && !o.trusts(ch) {
			if !copied {
				trusted, copied = slices.Clone(changes), true
			}
			trusted[n].Before = nil
		}
	}
	o.remember(changes)
	return o.cache.Prepare(trusted)
}

// trusts reports whether nothing unheard can be in the image before a change.
func (i *Images) trusts(ch *change.Change) bool {
	written, ok := updatedAt(ch.Before)
	if !ok {
		return false
	}
	if i.now().Sub(written) > unheard+skew {
		return true
	}
	key := object{ch.Class, ch.ObjectID}
	i.mu.Lock()
	defer i.mu.Unlock()
	at, known := i.heard[key]
	if !known {
		at, known = i.old[key]
	}
	return known && at.Equal(written)
}

// remember keeps which writes were heard, for as long as trusts asks.
func (i *Images) remember(changes []change.Change) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := i.now(); now.Sub(i.turned) > 2*(unheard+skew) {
		i.old, i.heard, i.turned = i.heard, map[object]time.Time{}, now
	}
	for n := range changes {
		ch := &changes[n]
		written, ok := updatedAt(ch.After)
		if !ok || len(i.heard) >= maxRemembered {
			continue
		}
		key := object{ch.Class, ch.ObjectID}
		if before, known := i.heard[key]; !known || written.After(before) {
			i.heard[key] = written
		}
	}
}

func updatedAt(image *change.Image) (at time.Time, ok bool) {
	if image == nil {
		return at, false
	}
	v, _ := image.Field("updatedAt")
	d, ok := v.(query.Date)
	return d.Time, ok
}

var _ Cache = (*Images)(nil)
