package read

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/auth"
)

// maxReads bounds the text of Reads, in bytes.
const maxReads = 4 << 10

// Reads lists what an answer depends on that can't be seen in the query or the body; it becomes the X-Parsescale-Reads
// header. The zero value depends on nothing.
type Reads struct {
	classes map[string]bool
	objects map[string]map[string]bool // ids by class
	expires time.Time
	noStore bool
	// everyone: whoever else asks gets the same answer, if with a valid session or none.
	everyone bool
	// name is that of the caller's rights, "" for a caller without a session; rights are what they depend on.
	name   string
	rights *Reads
}

// by says whose question it is. What the caller's rights depend on is told apart from what the answer depends on: the
// answer is that of all with the same rights.
func (r *Reads) by(a *auth.Auth) {
	if a.UserID == "" {
		return
	}
	r.name, r.rights = a.Name(), &Reads{}
	a.Reads(r.rights)
}

// Rights returns the text of the X-Parsescale-Rights header: a name that only equal rights have, and what they depend on
// in the form of String. It is "" if the caller has no session, or the rights depend on too much to be told.
func (r *Reads) Rights() string {
	if r.rights == nil {
		return ""
	}
	text := r.rights.String()
	if text == "no-store" {
		return ""
	}
	return r.name + " " + text
}

// Add says that the answer depends on one object, there or not.
func (r *Reads) Add(class, objectID string) {
	if !plain(objectID) || strings.HasPrefix(class, "_Join:") {
		r.AddClass(class)
		return
	}
	if r.objects == nil {
		r.objects = map[string]map[string]bool{}
	}
	if r.objects[class] == nil {
		r.objects[class] = map[string]bool{}
	}
	r.objects[class][objectID] = true
}

// AddClass says that the answer depends on every object of a class.
func (r *Reads) AddClass(class string) {
	if r.classes == nil {
		r.classes = map[string]bool{}
	}
	r.classes[class] = true
}

// Expires says that the answer isn't good after t.
func (r *Reads) Expires(t time.Time) {
	if r.expires.IsZero() || t.Before(r.expires) {
		r.expires = t
	}
}

// NoStore says that the answer mustn't be stored.
func (r *Reads) NoStore() { r.noStore = true }

// merge adds what another part of the answer depends on. A caller whose rights changed between the parts got an answer
// that nobody else would.
func (r *Reads) merge(o *Reads) {
	if r.rights != nil && r.name != o.name {
		r.noStore = true
	}
	r.name, r.rights, r.everyone = o.name, o.rights, false
	for class := range o.classes {
		r.AddClass(class)
	}
	for class, ids := range o.objects {
		for id := range ids {
			r.Add(class, id)
		}
	}
	if !o.expires.IsZero() {
		r.Expires(o.expires)
	}
	r.noStore = r.noStore || o.noStore
}

// String returns the header's text: space separated items "Class:objectId", "Class", "expires=<unix ms>", "for=everyone"
// and "no-store". Classes that are named as a whole don't list their objects. Past 4 kB the classes with the most objects
// are named as a whole, and if that isn't enough the answer is no-store.
func (r *Reads) String() string {
	if r.noStore {
		return "no-store"
	}
	whole := make(map[string]bool, len(r.classes))
	for c := range r.classes {
		whole[c] = true
	}
	for {
		text := r.text(whole)
		if len(text) <= maxReads {
			return text
		}
		largest := ""
		for c, ids := range r.objects {
			if !whole[c] && (largest == "" || len(ids) > len(r.objects[largest]) || len(ids) == len(r.objects[largest]) && c < largest) {
				largest = c
			}
		}
		if largest == "" {
			return "no-store"
		}
		whole[largest] = true
	}
}

func (r *Reads) text(whole map[string]bool) string {
	var items []string
	for c := range whole {
		if !plainClass(c) {
			return strings.Repeat(" ", maxReads+1)
		}
		items = append(items, c)
	}
	for c, ids := range r.objects {
		if whole[c] {
			continue
		}
		for id := range ids {
			items = append(items, c+":"+id)
		}
	}
	slices.Sort(items)
	if r.everyone {
		items = append(items, "for=everyone")
	}
	if !r.expires.IsZero() {
		items = append(items, "expires="+strconv.FormatInt(r.expires.UnixMilli(), 10))
	}
	return strings.Join(items, " ")
}

// plain reports whether an id can stand in a header without being taken for something else. Made ids always can.
func plain(id string) bool {
	for i := 0; i < len(id); i++ {
		if c := id[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return id != "" && len(id) <= 128
}

// plainClass is plain for class names, which may be those of join tables.
func plainClass(class string) bool {
	return plain(strings.ReplaceAll(class, ":", "_"))
}
