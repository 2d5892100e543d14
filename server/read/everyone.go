package read

import (
	"errors"
	"sync"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Many answers would be the same whoever asked: nothing that was looked at is kept from anybody, nor shown to some in
// another way. A gateway keeps one copy of such an answer for all. reading.shared says that nothing has been met so far
// that tells callers apart; what isn't known to treat all alike ends it.

// errPrivate ends a look at all objects at the first that not everybody may read.
var errPrivate = errors.New("an object that not everybody may read")

// maxPause bounds how many looks at a class regard who asks from the start, after private objects were met in it: to find
// that out again costs a second look.
const maxPause = 32

// privates remembers in which classes private objects were met: the more often in a row, the longer.
type privates struct {
	mu  sync.Mutex
	met map[string]pause // classes of the schema only
}

// pause is the looks left that regard who asks, and how many there were from the beginning.
type pause struct{ left, length int }

// meet notes that a private object was met.
func (p *privates) meet(class string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.met == nil {
		p.met = map[string]pause{}
	}
	n := min(max(1, 2*p.met[class].length), maxPause)
	p.met[class] = pause{n, n}
}

// none notes that a look met no private object.
func (p *privates) none(class string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.met, class)
}

// lately reports whether a private object was met in one of the latest looks at a class, and counts this one.
func (p *privates) lately(class string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, met := p.met[class]
	if !met || m.left == 0 {
		return false
	}
	m.left--
	p.met[class] = m
	return true
}

// maxSkipped bounds how many objects are looked at although they are skipped.
const maxSkipped = 1000

// alike ends sharing if a class may show callers different fields. Users see more of themselves than others do, and
// sessions are their users' alone.
func (r *reading) alike(name string, class *schema.Class) {
	if name == schema.User || name == schema.Session || name == schema.Installation || !r.rules.ProtectsAlike(class) {
		r.shared = false
	}
}

// permittedToAll ends sharing if the class-level permissions tell callers apart.
func (r *reading) permittedToAll(class *schema.Class, op string) {
	if r.shared && !auth.PermitsAll(class, op) {
		r.shared = false
	}
}

// look calls each for the objects of f, as Snapshot.Find does; begin is called first, and again if it begins anew. As
// long as the answer may be everybody's it looks at all objects, those to be skipped among them, and if everybody may read
// each, whoever else asks would see the same.
func (r *reading) look(f *storage.Find, begin func(), each func(storage.Row) error) error {
	begin()
	if r.shared && f.Skip <= maxSkipped && !r.privates.lately(f.Class.Name) {
		all := *f
		all.Readers, all.Skip = nil, 0
		if all.Limit >= 0 {
			all.Limit += f.Skip
		}
		skip := f.Skip
		err := r.s.Find(r.ctx, &all, func(row storage.Row) error {
			if !row.Public() {
				return errPrivate
			}
			if skip > 0 {
				skip--
				return nil
			}
			return each(row)
		})
		if !errors.Is(err, errPrivate) {
			r.privates.none(f.Class.Name)
			return err
		}
		r.privates.meet(f.Class.Name)
		begin()
	}
	r.shared = false
	return r.s.Find(r.ctx, f, each)
}

// number counts the objects of f. If as many are everybody's to read as there are, everybody counts the same.
func (r *reading) number(f *storage.Find) (int64, error) {
	if r.shared && !r.privates.lately(f.Class.Name) {
		all, public := *f, *f
		all.Readers, public.Readers = nil, []string{"*"}
		n, err := r.s.Count(r.ctx, &all)
		if err != nil {
			return 0, err
		}
		m, err := r.s.Count(r.ctx, &public)
		if err != nil || m == n {
			r.privates.none(f.Class.Name)
			return m, err
		}
		r.privates.meet(f.Class.Name)
	}
	r.shared = false
	return r.s.Count(r.ctx, f)
}

// asksOthers reports whether a where asks about objects other than those it finds.
func asksOthers(where query.Expr) (others bool) {
	query.Walk(where, func(e query.Expr) {
		switch e.(type) {
		case *query.InQuery, *query.Select, *query.RelatedTo:
			others = true
		}
	})
	return others
}
