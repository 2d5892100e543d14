package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// The model is a database that is two maps, and an evaluator of questions that shares no code with the matcher. Reads,
// writes and the cache's steps interleave at random. After every step each cached answer must be what the database
// would answer now, and what a follower gets must be what the database answered at some time after it asked.

// row is an object; one that is hidden from who asks is marked.
type row map[string]any

func (r row) hidden() bool { return r["hidden"] != nil }

type database struct {
	rows  map[string]map[string]row  // class, id
	joins map[string]map[string]bool // join class, "owner/related"
}

func (d *database) clone() *database {
	out := &database{rows: map[string]map[string]row{}, joins: map[string]map[string]bool{}}
	for class, rows := range d.rows {
		out.rows[class] = map[string]row{}
		for id, r := range rows {
			out.rows[class][id] = r // rows are replaced, never changed
		}
	}
	for class, members := range d.joins {
		out.joins[class] = map[string]bool{}
		for m := range members {
			out.joins[class][m] = true
		}
	}
	return out
}

// asking is a question in a form that the model evaluates by itself.
type asking struct {
	class   string
	id      string // of a get
	cond    cond   // nil: everything
	include bool   // of the pointer "p"
	limit   int    // 0: none
	count   bool
}

// cond is a condition that can be evaluated on a row and written as a where.
type cond interface {
	holds(d *database, class, id string, r row) bool
	where() string
}

type eq struct {
	field string
	value float64
	not   bool
}

func (c eq) holds(_ *database, _, _ string, r row) bool { return (r[c.field] == any(c.value)) != c.not }
func (c eq) where() string {
	if c.not {
		return fmt.Sprintf(`{"%s":{"$ne":%v}}`, c.field, c.value)
	}
	return fmt.Sprintf(`{"%s":%v}`, c.field, c.value)
}

type oneOf struct{ a, b float64 }

func (c oneOf) holds(_ *database, _, _ string, r row) bool {
	return r["x"] == any(c.a) || r["x"] == any(c.b)
}
func (c oneOf) where() string { return fmt.Sprintf(`{"x":{"$in":[%v,%v]}}`, c.a, c.b) }

type less struct{ than float64 }

func (c less) holds(_ *database, _, _ string, r row) bool {
	x, ok := r["x"].(float64)
	return ok && x < c.than
}
func (c less) where() string { return fmt.Sprintf(`{"x":{"$lt":%v}}`, c.than) }

type exists struct{ want bool }

func (c exists) holds(_ *database, _, _ string, r row) bool { return (r["y"] != nil) == c.want }
func (c exists) where() string                              { return fmt.Sprintf(`{"y":{"$exists":%v}}`, c.want) }

type pointsTo struct{ id string }

func (c pointsTo) holds(_ *database, _, _ string, r row) bool { return r["p"] == any(c.id) }
func (c pointsTo) where() string {
	return fmt.Sprintf(`{"p":{"__type":"Pointer","className":"B","objectId":"%s"}}`, c.id)
}

type inQuery struct {
	inner cond
	not   bool
}

func (c inQuery) holds(d *database, _, _ string, r row) bool {
	id, _ := r["p"].(string)
	target, there := d.rows["B"][id]
	in := there && !target.hidden() && c.inner.holds(d, "B", id, target)
	if c.not {
		return r["p"] != nil && !in
	}
	return in
}
func (c inQuery) where() string {
	op := "$inQuery"
	if c.not {
		op = "$notInQuery"
	}
	return fmt.Sprintf(`{"p":{"%s":{"className":"B","where":%s}}}`, op, c.inner.where())
}

type relatedTo struct{ owner string }

func (c relatedTo) holds(d *database, class, id string, _ row) bool {
	return class == "A" && d.joins["_Join:r:B"][c.owner+"/"+id] && !d.rows["B"][c.owner].hidden()
}
func (c relatedTo) where() string {
	return fmt.Sprintf(`{"$relatedTo":{"object":{"__type":"Pointer","className":"B","objectId":"%s"},"key":"r"}}`, c.owner)
}

// hasMember asks a relation's field for a member.
type hasMember struct{ member string }

func (c hasMember) holds(d *database, class, id string, _ row) bool {
	return class == "B" && d.joins["_Join:r:B"][id+"/"+c.member]
}
func (c hasMember) where() string {
	return fmt.Sprintf(`{"r":{"__type":"Pointer","className":"A","objectId":"%s"}}`, c.member)
}

type both struct {
	a, b cond
	or   bool
}

func (c both) holds(d *database, class, id string, r row) bool {
	if c.or {
		return c.a.holds(d, class, id, r) || c.b.holds(d, class, id, r)
	}
	return c.a.holds(d, class, id, r) && c.b.holds(d, class, id, r)
}
func (c both) where() string {
	op := "$and"
	if c.or {
		op = "$or"
	}
	return fmt.Sprintf(`{"%s":[%s,%s]}`, op, c.a.where(), c.b.where())
}

// answer evaluates a question: the body, and what a worker would say of pointers that lead nowhere.
func (a *asking) answer(d *database) (body, reads string) {
	var shown, lost []string
	ids := make([]string, 0, len(d.rows[a.class]))
	for id := range d.rows[a.class] {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	n := 0
	for _, id := range ids {
		r := d.rows[a.class][id]
		if r.hidden() || a.id != "" && id != a.id || a.cond != nil && !a.cond.holds(d, a.class, id, r) {
			continue
		}
		if n++; a.limit > 0 && n > a.limit {
			continue
		}
		text := fmt.Sprintf(`{"objectId":%q`, id)
		for _, f := range []string{"x", "y"} {
			if r[f] != nil {
				text += fmt.Sprintf(`,"%s":%v`, f, r[f])
			}
		}
		if p, ok := r["p"].(string); ok {
			target, there := d.rows["B"][p]
			switch {
			case !a.include:
				text += fmt.Sprintf(`,"p":{"__type":"Pointer","className":"B","objectId":%q}`, p)
			case there && !target.hidden():
				text += fmt.Sprintf(`,"p":{"__type":"Object","className":"B","objectId":%q,"x":"%v","y":"%v"}`, p, target["x"], target["y"])
			default:
				lost = append(lost, "B:"+p)
			}
		}
		shown = append(shown, text+"}")
	}
	if a.id != "" {
		body = strings.Join(shown, "")
		if body == "" {
			body = `{"code":101,"error":"Object not found."}`
		}
	} else {
		body = `{"results":[` + strings.Join(shown, ",") + `]`
		if a.count {
			body += fmt.Sprintf(`,"count":%d`, n)
		}
		body += "}"
	}
	slices.Sort(lost)
	return body, strings.Join(slices.Compact(lost), " ")
}

func (a *asking) name() string {
	w := ""
	if a.cond != nil {
		w = a.cond.where()
	}
	return fmt.Sprintf("%s %s %s include=%v limit=%d count=%v", a.class, a.id, w, a.include, a.limit, a.count)
}

func (a *asking) reading(t testing.TB) Reading {
	q := &query.Query{Class: a.class, Limit: -1, Count: a.count}
	if a.limit > 0 {
		q.Limit = a.limit
	}
	if a.include {
		q.Include = []query.Path{"p"}
	}
	if a.cond != nil {
		q.Where = where(t, a.cond.where())
	}
	return Reading{Class: a.class, ObjectID: a.id, Query: q, Level: Exact}
}

// drawCond draws a condition for a class.
func drawCond(t *rapid.T, class string, depth int) cond {
	number := func() float64 { return float64(rapid.IntRange(0, 2).Draw(t, "number")) }
	kinds := []string{"eq", "ne", "in", "lt", "exists"}
	if depth > 0 {
		kinds = append(kinds, "and", "or")
		if class == "A" {
			kinds = append(kinds, "inQuery", "notInQuery", "pointer", "related")
		} else {
			kinds = append(kinds, "member")
		}
	}
	switch rapid.SampledFrom(kinds).Draw(t, "condition") {
	case "eq":
		return eq{"x", number(), false}
	case "ne":
		return eq{"y", number(), true}
	case "in":
		return oneOf{number(), number()}
	case "lt":
		return less{number()}
	case "exists":
		return exists{rapid.Bool().Draw(t, "want")}
	case "and":
		return both{drawCond(t, class, depth-1), drawCond(t, class, depth-1), false}
	case "or":
		return both{drawCond(t, class, depth-1), drawCond(t, class, depth-1), true}
	case "inQuery":
		return inQuery{drawCond(t, "B", 0), false}
	case "notInQuery":
		return inQuery{drawCond(t, "B", 0), true}
	case "pointer":
		return pointsTo{drawID(t, "B")}
	case "related":
		return relatedTo{drawID(t, "B")}
	}
	return hasMember{drawID(t, "A")}
}

func drawID(t *rapid.T, class string) string {
	return fmt.Sprint(strings.ToLower(class), rapid.IntRange(1, 3).Draw(t, "id"))
}

func drawAsking(t *rapid.T) *asking {
	a := &asking{class: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "class")}
	a.include = a.class == "A" && rapid.Bool().Draw(t, "include")
	if rapid.IntRange(0, 3).Draw(t, "get") == 0 {
		a.id = drawID(t, a.class)
		return a
	}
	if rapid.IntRange(0, 5).Draw(t, "where") > 0 {
		a.cond = drawCond(t, a.class, 2)
	}
	a.limit = rapid.IntRange(0, 2).Draw(t, "limit")
	a.count = rapid.Bool().Draw(t, "count")
	return a
}

func drawRow(t *rapid.T, class string) row {
	r := row{}
	for _, f := range []string{"x", "y"} {
		if n := rapid.IntRange(-1, 2).Draw(t, f); n >= 0 {
			r[f] = float64(n)
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "hidden") == 0 {
		r["hidden"] = true
	}
	if class == "A" && rapid.IntRange(0, 3).Draw(t, "has pointer") > 0 {
		r["p"] = drawID(t, "B")
	}
	return r
}

// rowImage is the image of a row as the write path makes it: relations aren't told.
func rowImage(class, id string, r row) *change.Image {
	if r == nil {
		return nil
	}
	f := fields{"objectId": id}
	for name, v := range r {
		if p, ok := v.(string); ok && name == "p" {
			v = pointer("B", p)
		}
		if name == "hidden" {
			name, v = "_rperm", []any{}
		}
		f[name] = v
	}
	if class == "B" {
		return change.NewImage(class, f, "r")
	}
	return change.NewImage(class, f)
}

// write is a transaction between its prepare and its done.
type write struct {
	apply   func(*database)
	commits bool
	visible bool
	finish  func()
	keys    []string // rows it touches: the database locks them
}

// asker is a leader between Begin and Store.
type asker struct {
	ask         *asking
	fill        *Fill
	read        bool
	body, reads string
	seen        int // version of the database that was read
	followers   []follower
}

type follower struct {
	fill   *Fill
	joined int // version of the database when it asked
}

type model struct {
	c        *Cache
	versions []*database // every committed state
	askings  []*asking
	writes   []*write
	leaders  []*asker
	served   int // hits that were checked
}

func (m *model) now() *database { return m.versions[len(m.versions)-1] }

// draw makes a random write and what it announces.
func (m *model) draw(t *rapid.T) (*write, []change.Change) {
	w := &write{commits: rapid.IntRange(0, 4).Draw(t, "commits") > 0}
	var changes []change.Change
	var steps []func(*database)
	view := m.now().clone()
	for range rapid.IntRange(1, 2).Draw(t, "writes") {
		if rapid.IntRange(0, 3).Draw(t, "relation") == 0 {
			member := drawID(t, "B") + "/" + drawID(t, "A")
			if m.locked(w, "join "+member) {
				continue
			}
			own, rel, _ := strings.Cut(member, "/")
			kind := change.Create
			if view.joins["_Join:r:B"][member] {
				kind = change.Delete
			}
			changes = append(changes, join(kind, "_Join:r:B", own, rel))
			steps = append(steps, func(d *database) {
				if kind == change.Delete {
					delete(d.joins["_Join:r:B"], member)
				} else {
					d.joins["_Join:r:B"][member] = true
				}
			})
			steps[len(steps)-1](view)
			continue
		}
		class := rapid.SampledFrom([]string{"A", "B"}).Draw(t, "class")
		id := drawID(t, class)
		if m.locked(w, class+" "+id) {
			continue
		}
		before := view.rows[class][id]
		ch := change.Change{Class: class, ObjectID: id, Kind: change.Create, Before: rowImage(class, id, before)}
		var after row
		switch {
		case before != nil && rapid.IntRange(0, 2).Draw(t, "delete") == 0:
			ch.Kind = change.Delete
		case before != nil:
			ch.Kind = change.Update
			after = drawRow(t, class)
		default:
			after = drawRow(t, class)
		}
		ch.After = rowImage(class, id, after)
		switch rapid.IntRange(0, 9).Draw(t, "what it tells") {
		case 0:
			ch.Before, ch.After = nil, nil
		case 1:
			for _, i := range []*change.Image{ch.Before, ch.After} {
				if i != nil {
					*i = change.Image{Partial: true}
				}
			}
		case 2:
			ch = change.Change{Class: class, Kind: change.Purge}
		}
		changes = append(changes, ch)
		steps = append(steps, func(d *database) {
			if after == nil {
				delete(d.rows[class], id)
			} else {
				d.rows[class][id] = after
			}
		})
		steps[len(steps)-1](view)
	}
	w.apply = func(d *database) {
		for _, s := range steps {
			s(d)
		}
	}
	return w, changes
}

// locked reports whether another open write holds the row; if not, w holds it from now on.
func (m *model) locked(w *write, key string) bool {
	for _, o := range m.writes {
		if slices.Contains(o.keys, key) {
			return true
		}
	}
	w.keys = append(w.keys, key)
	return false
}

func (m *model) check(t *rapid.T) {
	for _, a := range m.askings {
		e, ok := m.c.Get(key(a.name()))
		if !ok {
			continue
		}
		m.served++
		if want, _ := a.answer(m.now()); string(e.Body) != want {
			t.Fatalf("a stale hit for %s:\n got %s\nwant %s", a.name(), e.Body, want)
		}
	}
}

func (m *model) actions(tb testing.TB) map[string]func(*rapid.T) {
	pick := func(t *rapid.T, n int) int {
		if n == 0 {
			t.Skip("none")
		}
		return rapid.IntRange(0, n-1).Draw(t, "which")
	}
	ask := func(t *rapid.T) {
		a := m.askings[pick(t, len(m.askings))]
		f, leader := m.c.Begin(key(a.name()), a.reading(tb))
		if leader {
			m.leaders = append(m.leaders, &asker{ask: a, fill: f})
			return
		}
		for _, l := range m.leaders {
			if l.fill.fl == f.fl {
				l.followers = append(l.followers, follower{f, len(m.versions) - 1})
				return
			}
		}
		t.Fatal("joined a fill that nobody leads")
	}
	read := func(t *rapid.T) {
		l := m.leaders[pick(t, len(m.leaders))]
		if l.read {
			t.Skip("it has read")
		}
		l.read, l.seen = true, len(m.versions)-1
		l.body, l.reads = l.ask.answer(m.now())
	}
	store := func(t *rapid.T) {
		i := pick(t, len(m.leaders))
		l := m.leaders[i]
		if !l.read {
			t.Skip("nothing to store yet")
		}
		m.leaders = slices.Delete(m.leaders, i, i+1)
		r := l.ask.reading(tb)
		d, ok := FromBody(r.Query, []byte(l.body))
		reads, ok2 := ParseReads(l.reads)
		if !ok || !ok2 {
			t.Fatalf("cannot read %s, %s", l.body, l.reads)
		}
		d.Add(reads)
		if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
			l.fill.Abandon()
		} else {
			l.fill.Store(entry(l.body), d)
		}
		for _, f := range l.followers {
			e, err := f.fill.Wait(context.Background())
			if errors.Is(err, ErrLeaderFailed) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			m.fresh(t, l, f, string(e.Body))
		}
	}
	prepare := func(t *rapid.T) {
		if len(m.writes) == 3 {
			t.Skip("enough")
		}
		w, changes := m.draw(t)
		if len(changes) == 0 {
			t.Skip("locked")
		}
		w.finish = m.c.Prepare(changes)
		m.writes = append(m.writes, w)
	}
	commit := func(t *rapid.T) {
		w := m.writes[pick(t, len(m.writes))]
		if w.visible || !w.commits {
			t.Skip("nothing to commit")
		}
		w.visible = true
		next := m.now().clone()
		w.apply(next)
		m.versions = append(m.versions, next)
	}
	finish := func(t *rapid.T) {
		i := pick(t, len(m.writes))
		w := m.writes[i]
		if w.commits && !w.visible {
			t.Skip("not committed yet")
		}
		w.finish()
		m.writes = slices.Delete(m.writes, i, i+1)
	}
	return map[string]func(*rapid.T){
		"ask": ask, "ask 2": ask, "read": read, "read 2": read, "store": store, "store 2": store,
		"prepare": prepare, "commit": commit, "finish": finish, "finish 2": finish, "": m.check,
	}
}

// fresh fails unless a follower's answer is what the database answered at some time since the follower asked.
func (m *model) fresh(t *rapid.T, l *asker, f follower, body string) {
	for v := f.joined; v <= max(l.seen, f.joined); v++ {
		if want, _ := l.ask.answer(m.versions[v]); want == body {
			return
		}
	}
	t.Fatalf("a follower of %s got an answer older than its question:\n got %s", l.ask.name(), body)
}

func TestModel(t *testing.T) {
	m := tally{}
	rounds := 20 // of 100 histories each, unless -rapid.checks says otherwise
	switch {
	case testing.Short():
		rounds = 2
	case longChecks() > 100: // as many histories as it says
		rounds = 1
	}
	for round := range rounds {
		if !t.Run(fmt.Sprint(round), func(t *testing.T) { rapid.Check(t, func(rt *rapid.T) { m.history(t, rt) }) }) {
			return
		}
	}
	// A cache that keeps nothing is never stale.
	if m.served < 100*rounds || m.invalidated < 3*rounds {
		t.Errorf("only %d hits and %d invalidations were checked", m.served, m.invalidated)
	}
	t.Logf("%d hits checked, %d invalidations", m.served, m.invalidated)
}

// tally counts what the histories checked.
type tally struct{ served, invalidated int }

// history plays one random history.
func (sum *tally) history(t *testing.T, rt *rapid.T) {
	first := &database{rows: map[string]map[string]row{"A": {}, "B": {}}, joins: map[string]map[string]bool{"_Join:r:B": {}}}
	for _, class := range []string{"A", "B"} {
		for i := range 2 {
			first.rows[class][fmt.Sprint(strings.ToLower(class), i+1)] = drawRow(rt, class)
		}
	}
	m := &model{c: New(Options{Shards: 2, Recent: rapid.SampledFrom([]int{4, 64}).Draw(rt, "recent")}), versions: []*database{first}}
	for range 4 {
		m.askings = append(m.askings, drawAsking(rt))
	}
	actions := m.actions(t)
	for range 4 { // longer histories than one Repeat draws
		rt.Repeat(actions)
	}
	sum.served += m.served
	sum.invalidated += int(m.c.Stats().Invalidations)
	for _, w := range m.writes {
		w.finish()
	}
	for _, l := range m.leaders {
		l.fill.Abandon()
	}
	m.c.Purge("", "")
	checkEmpty(t, m.c)
}
