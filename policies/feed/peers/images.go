package peers

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// Images keeps the promise of a gateway's own writes in bounded mode. The image of an object before an own write may hold what
// another gateway wrote and hasn't told yet: then it is newer than what is cached, and comparing it with the image after the
// write doesn't tell what the write alters of that. Such images are taken out, and the cache takes them for unknown.
//
// An image is believed if it is what the latest write of the object left that was heard; or, where none was heard of late, if it
// is so old by its updatedAt that the write that made it must have been heard. The latter compares clocks of two machines, and
// isn't done for Parse's own classes, some of whose columns are written without a new updatedAt.
//
// It stands before the cache, for own changes (Own) and for those of others.
type Images struct {
	cache Cache
	now   func() time.Time

	mu         sync.Mutex
	heard, old map[object]uint64 // sums of what the latest writes left that were heard, of this time and the one before
	turned     time.Time
}

// object names an object of a class.
type object struct{ class, id string }

const (
	// settledAfter is how old an image must be by its updatedAt to be believed unheard: a write is heard 5 s after its commit, or
	// nothing so old is served; clocks may be 5 s apart; and from its updatedAt to its commit a write takes no longer than the rest.
	settledAfter = time.Minute
	// maxRemembered bounds what is remembered of each time; beyond it images are taken out that needn't be.
	maxRemembered = 64 << 10
)

// NewImages stands before a cache. now is the time of day; nil: time.Now.
func NewImages(c Cache, now func() time.Time) *Images {
	if now == nil {
		now = time.Now
	}
	return &Images{cache: c, now: now, heard: map[object]uint64{}, turned: now()}
}

// Prepare takes another gateway's changes to the cache.
func (i *Images) Prepare(changes []change.Change) (finish func()) {
	finish = i.cache.Prepare(changes)
	i.remember(changes)
	return finish
}

// Purge implements Cache.
func (i *Images) Purge(class, objectID string) int { return i.cache.Purge(class, objectID) }

// Own is the way of this gateway's own changes to the cache. It implements feed.Applier.
type Own struct{ *Images }

// Prepare takes the images out that can't be believed, in a copy: others are told of the changes as they are.
func (o Own) Prepare(changes []change.Change) (finish func()) {
	believed, copied := changes, false
	for n := range changes {
		if ch := &changes[n]; ch.Before != nil && !o.believes(ch) {
			if !copied {
				believed, copied = slices.Clone(changes), true
			}
			believed[n].Before = nil
		}
	}
	finish = o.cache.Prepare(believed)
	o.remember(changes)
	return finish
}

// believes reports whether nothing unheard can be in the image before a change.
func (i *Images) believes(ch *change.Change) bool {
	if strings.HasPrefix(ch.Class, "_Join:") {
		return true // a row of a relation is made and deleted, never altered
	}
	key := object{ch.Class, ch.ObjectID}
	i.mu.Lock()
	left, known := i.heard[key]
	if !known {
		left, known = i.old[key]
	}
	i.mu.Unlock()
	if known {
		sum, whole := sumOf(ch.Before)
		return whole && sum == left
	}
	if strings.HasPrefix(ch.Class, "_") {
		return false
	}
	v, _ := ch.Before.Field("updatedAt")
	written, ok := v.(query.Date)
	return ok && i.now().Sub(written.Time) > settledAfter
}

// remember keeps what was heard, for as long as it isn't settled by its age.
func (i *Images) remember(changes []change.Change) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := i.now(); now.Sub(i.turned) > 2*settledAfter {
		i.old, i.heard, i.turned = i.heard, map[object]uint64{}, now
	}
	for n := range changes {
		ch := &changes[n]
		key := object{ch.Class, ch.ObjectID}
		_, known := i.heard[key]
		switch {
		case strings.HasPrefix(ch.Class, "_Join:"):
		case known || len(i.heard) < maxRemembered:
			i.heard[key], _ = sumOf(ch.After) // 0, which is no image's, where it isn't told whole
		default:
			delete(i.old, key) // what it holds is over
		}
	}
}

// sumOf adds up an image's fields, in whatever order they are; whole is false for a missing image and one that doesn't tell all
// fields.
func sumOf(image *change.Image) (sum uint64, whole bool) {
	if image == nil || image.Partial {
		return 0, false
	}
	var text []byte
	for name, v := range image.Fields {
		if v == nil {
			continue // the same as a field that isn't there
		}
		text = append(append(text[:0], name...), 0)
		text = query.AppendJSON(text, v)
		sum += xxh3.Hash(text)
	}
	return sum, true
}

var _ Cache = (*Images)(nil)
