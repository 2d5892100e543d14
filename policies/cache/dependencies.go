package cache

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxIDs bounds the objects, and maxClasses the classes, that an answer depends on one by one.
const (
	maxIDs     = 2000
	maxClasses = 64
)

// Dependencies are what an answer turned out to depend on: the objects it shows, and what the worker said it read.
// The zero value depends on nothing.
type Dependencies struct {
	refs    []objectRef
	classes []string
	// byClass: there were too many objects; their classes stand for them.
	byClass bool
	// overflow: there were too many even of classes; the answer can't be kept.
	overflow bool
	// window is what part of all that was found the answer shows; nil: all of it, or it isn't known.
	window *window
	// seen finds most repetitions: one included object stands in many results. By hash, the place in refs plus one.
	seen [256]uint16
}

// objectRef names an object by parts of the answer's body.
type objectRef struct{ class, id []byte }

// AddObject adds one object.
func (d *Dependencies) AddObject(class, objectID string) { d.add([]byte(class), []byte(objectID)) }

// AddClass adds every object of a class.
func (d *Dependencies) AddClass(class string) {
	if slices.Contains(d.classes, class) {
		return
	}
	if len(d.classes) == maxClasses {
		d.overflow = true
		return
	}
	d.classes = append(d.classes, class)
}

// Add adds what the worker said it read.
func (d *Dependencies) Add(r Reads) {
	for _, c := range r.classes {
		d.AddClass(c)
	}
	for _, o := range r.objects {
		d.add(o.class, o.id)
	}
}

// add adds one object. Past the bound, classes take the place of their objects.
func (d *Dependencies) add(class, id []byte) {
	if d.byClass {
		d.addWhole(class)
		return
	}
	slot := &d.seen[hash(class, id)]
	if *slot > 0 {
		if o := &d.refs[*slot-1]; bytes.Equal(o.id, id) && bytes.Equal(o.class, class) {
			return
		}
	}
	if len(d.refs) < maxIDs {
		d.refs = append(d.refs, objectRef{class, id})
		*slot = uint16(len(d.refs))
		return
	}
	d.byClass = true
	for _, o := range d.refs {
		d.addWhole(o.class)
	}
	d.addWhole(class)
	d.refs = nil
}

func (d *Dependencies) addWhole(class []byte) {
	for _, c := range d.classes {
		if c == string(class) {
			return
		}
	}
	d.AddClass(string(class))
}

func hash(class, id []byte) byte {
	h := uint32(2166136261) // FNV-1a
	for _, c := range id {
		h = (h ^ uint32(c)) * 16777619
	}
	if len(class) > 0 {
		h = (h ^ uint32(class[len(class)-1])) * 16777619
	}
	return byte(h ^ h>>8 ^ h>>16)
}

// Reads is what a worker says in X-Parsescale-Reads about what its answer depends on beside the query and the body.
type Reads struct {
	// NoStore: the answer must not be stored.
	NoStore bool
	// Everyone: whoever else asks the same gets the same answer, if with a valid session or none.
	Everyone bool
	// Expires is when the answer stops being good; zero: never.
	Expires time.Time

	objects []objectRef
	classes []string
}

// maxReads bounds the header that is read, in bytes; a worker sends 4 kB at most.
const maxReads = 8 << 10

// ParseReads reads the header: space separated items "Class:objectId", "Class", "expires=<unix ms>", "for=everyone" and
// "no-store". A join table's class has two colons of its own and no object id. It returns false for what it doesn't understand: such
// an answer must not be stored.
func ParseReads(header string) (Reads, bool) {
	var r Reads
	if len(header) > maxReads {
		return Reads{}, false
	}
	for item := range strings.FieldsSeq(header) {
		class, id, hasID := strings.Cut(item, ":")
		name, value, isSetting := strings.Cut(item, "=")
		switch {
		case item == "no-store":
			r.NoStore = true
		case isSetting && name == "for" && value == "everyone":
			r.Everyone = true
		case isSetting && name == "expires":
			ms, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return Reads{}, false
			}
			if t := time.UnixMilli(ms); r.Expires.IsZero() || t.Before(r.Expires) {
				r.Expires = t
			}
		case strings.HasPrefix(item, joinPrefix):
			key, of, ok := strings.Cut(id, ":")
			if !ok || !isClass(key) || !isClass(of) {
				return Reads{}, false
			}
			r.classes = append(r.classes, item)
		case !isClass(class) || hasID && id == "":
			return Reads{}, false
		case hasID:
			r.objects = append(r.objects, objectRef{[]byte(class), []byte(id)})
		default:
			r.classes = append(r.classes, class)
		}
	}
	return r, true
}

// ParseRights reads a worker's X-Parsescale-Rights: what the session token of the question stands for, as a name that
// only equal rights have, and then, as in ParseReads, what that depends on. It returns false for what it doesn't
// understand.
func ParseRights(header string) (name string, r Reads, ok bool) {
	name, rest, _ := strings.Cut(header, " ")
	if len(name) < 16 || len(name) > 128 {
		return "", Reads{}, false
	}
	r, ok = ParseReads(rest)
	if !ok || r.NoStore || r.Everyone || len(r.objects)+len(r.classes) == 0 { // they depend on the session at least
		return "", Reads{}, false
	}
	return name, r, true
}

// isClass reports whether a name can be a class's or a field's.
func isClass(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
