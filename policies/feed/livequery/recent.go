package livequery

import (
	"container/list"
	"reflect"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// maxFields bounds the fields that are remembered of one object; past it, all of them count as changed.
const maxFields = 64

// recent remembers what was changed of which objects within a window. Two overlapping updates {a: 1} and {b: 1} of an
// object with neither are published as (a: 1, b: 0) and (a: 0, b: 1), while the database has (a: 1, b: 1): so of an object
// that has just been changed, nobody knows what was changed.
type recent struct {
	window time.Duration
	max    int
	byID   map[objectKey]*list.Element
	order  *list.List // of *touched, the oldest first
	blind  time.Time  // until then something was forgotten too early
}

type objectKey struct{ class, id string }

type touched struct {
	objectKey
	at     time.Time
	fields map[string]bool // nil: all
}

func newRecent(window time.Duration, max int) recent {
	return recent{window: window, max: max, byID: map[objectKey]*list.Element{}, order: list.New()}
}

// merge takes out of a change what isn't sure, and remembers what it changes.
func (r *recent) merge(c *change.Change, now time.Time) {
	for e := r.order.Front(); e != nil && now.Sub(e.Value.(*touched).at) > r.window; e = r.order.Front() {
		r.remove(e)
	}
	if c.Kind == change.Create {
		return
	}
	fields := changed(c) // before anything is taken out
	key := objectKey{c.Class, c.ObjectID}
	blind := now.Before(r.blind)
	if e := r.byID[key]; e != nil {
		earlier := e.Value.(*touched)
		blind = blind || earlier.fields == nil
		for name := range earlier.fields {
			for _, i := range [...]*change.Image{c.Before, c.After} {
				if i != nil {
					delete(i.Fields, name)
				}
			}
			if fields != nil {
				fields[name] = true
			}
		}
		if earlier.fields == nil {
			fields = nil
		}
		r.remove(e)
	}
	if blind {
		for _, i := range [...]*change.Image{c.Before, c.After} {
			if i != nil {
				clear(i.Fields)
			}
		}
	}
	if len(fields) > maxFields {
		fields = nil
	}
	if r.order.Len() >= r.max {
		r.remove(r.order.Front())
		r.blind = now.Add(r.window)
	}
	r.byID[key] = r.order.PushBack(&touched{key, now, fields})
}

func (r *recent) remove(e *list.Element) {
	delete(r.byID, e.Value.(*touched).objectKey)
	r.order.Remove(e)
}

// changed are the fields that a change changes; nil for all.
func changed(c *change.Change) map[string]bool {
	if c.Before == nil || c.After == nil {
		return nil
	}
	fields := map[string]bool{}
	for _, pair := range [...][2]*change.Image{{c.Before, c.After}, {c.After, c.Before}} {
		for name, v := range pair[0].Fields {
			if other, there := pair[1].Fields[name]; !there || !reflect.DeepEqual(v, other) {
				fields[name] = true
			}
		}
	}
	return fields
}
