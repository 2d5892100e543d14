package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestCoherence lets many clients write and read a few objects in every way, and checks each answer against rule 1 of
// the design: it shows at least what was acknowledged before the read began, and at least what any read that ended
// before it began had shown.
func TestCoherence(t *testing.T) {
	testservices.NeedTime(t, "10 s of concurrent reads and writes")
	t.Run("two workers", func(t *testing.T) {
		c := newCoherence(t, startGateway(t, bundledApp("option allowCustomObjectId true", "")))
		c.run(t, 5*time.Second)
		c.demand(t, minCoherentHits, 0)
	})
	t.Run("workers are killed and stopped", func(t *testing.T) {
		g := startGateway(t, bundledApp("option allowCustomObjectId true", ""))
		c := newCoherence(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		var trouble sync.WaitGroup
		trouble.Go(func() { c.disturb(ctx, g) })
		c.run(t, 8*time.Second)
		cancel()
		trouble.Wait()
		c.demand(t, minCoherentHits, len(c.all)/3)
	})
	t.Run("workers on PostgreSQL are killed and stopped", func(t *testing.T) {
		uri := testservices.StartPostgreSQL(t).URI
		g := startGateway(t, strings.Replace(bundledApp("exclusive\n\t\t\toption allowCustomObjectId true", ""), "sqlite://data/parse.db", uri, 1))
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if s, err := g.status(); err == nil && s.Apps["default"].Serving {
				break
			}
			if time.Now().After(end) {
				t.Fatal("the gateway never trusts its cache")
			}
		}
		c := newCoherence(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		var trouble sync.WaitGroup
		trouble.Go(func() { c.disturb(ctx, g) })
		c.run(t, 6*time.Second)
		cancel()
		trouble.Wait()
		c.demand(t, minCoherentHits, len(c.all)/3)
	})
}

const (
	minCoherentHits = 0.3 // of the reads, or nothing was tested
	readsPerWrite   = 50  // however fast the machine is, so that the share of hits doesn't depend on it
	coherentClass   = "CohObject"
	holderClass     = "CohHolder" // objects with a pointer to each object; nobody writes them
	ownerClass      = "CohOwner"  // an object with a relation to the members
	memberClass     = "CohMember"
	coherentCount   = 10
)

// coherence is the objects, what is known of them, and the clients.
type coherence struct {
	seed    uint64
	client  *client
	doors   []*client     // of several gateways; nil: client's is the only one
	bound   time.Duration // within which a read through one gateway shows a write through another; 0: at once
	dying   atomic.Bool   // the last gateway is killed on purpose: requests to it fail
	history history
	// objects are written, deleted and made again; memberships come and go.
	objects, members, all []*register

	reads, hits, writes, refused atomic.Int64
}

// The state of an object at a version. Every fifth version is a deletion; then it is made again under the same id.
func alive(v int64) bool { return v > 0 && v%5 != 0 }

func group(v int64) int64 { return v % 3 }

func mod(v int64) int64 { return v % 7 }

func rank(slot int, v int64) int64 { return v*coherentCount + int64(slot) }

func fields(slot int, v int64) string {
	return fmt.Sprintf(`{"slot":%d,"v":%d,"group":%d,"mod":%d,"tag":"t%d","rank":%d,"list":[%d,"x"]}`,
		slot, v, group(v), mod(v), v%2, rank(slot, v), group(v))
}

func isMember(v int64) bool { return v%2 == 1 }

func objectID(slot int) string { return fmt.Sprintf("cohslot%03d", slot) }

func memberID(i int) string { return fmt.Sprintf("cohmember%03d", i) }

func newCoherence(t *testing.T, g *gateway) *coherence {
	c := &coherence{seed: uint64(time.Now().UnixNano()), client: newClient(t, g.url())}
	if s := os.Getenv("PARSESCALE_TEST_SEED"); s != "" {
		var err error
		if c.seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (PARSESCALE_TEST_SEED)", c.seed)
	c.history.start = time.Now()
	for i := range coherentCount {
		r := &register{name: objectID(i)}
		r.begun.Store(1)
		r.known.Store(1)
		c.objects = append(c.objects, r)
		c.client.create(t, coherentClass, `{"objectId":"`+objectID(i)+`",`+fields(i, 1)[1:])
		c.client.create(t, holderClass, fmt.Sprintf(`{"objectId":"holder%d","slot":%d,"target":{"__type":"Pointer","className":%q,"objectId":%q}}`,
			i, i, coherentClass, objectID(i)))
		c.members = append(c.members, &register{name: memberID(i)})
		c.client.create(t, memberClass, `{"objectId":"`+memberID(i)+`"}`)
	}
	c.client.create(t, ownerClass, `{"objectId":"owner","members":{"__op":"AddRelation","objects":[`+memberPointer(0)+`]}}`)
	c.client.must(t, "PUT", "/classes/"+ownerClass+"/owner", `{"members":{"__op":"RemoveRelation","objects":[`+memberPointer(0)+`]}}`, nil)
	c.all = append(append(c.all, c.objects...), c.members...)
	return c
}

func memberPointer(i int) string {
	return fmt.Sprintf(`{"__type":"Pointer","className":%q,"objectId":%q}`, memberClass, memberID(i))
}

// any is a client of one of the gateways.
func (c *coherence) any() *client {
	if c.doors == nil {
		return c.client
	}
	if c.dying.Load() {
		return c.doors[0]
	}
	return c.doors[rand.IntN(len(c.doors))]
}

// writer is the client through which a register is written. With a bound it is always the same: objects are made again under the
// same id, and what another gateway has deleted just before may still be in a count. It is nil while that gateway is gone.
func (c *coherence) writer(slot int) *client {
	if c.bound == 0 {
		return c.any()
	}
	door := slot % len(c.doors)
	if door > 0 && c.dying.Load() {
		return nil
	}
	return c.doors[door]
}

// run lets 3 writers and 12 readers loose.
func (c *coherence) run(t *testing.T, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var clients sync.WaitGroup
	for n := range uint64(15) {
		random := rand.New(rand.NewPCG(c.seed, n))
		clients.Go(func() {
			for ctx.Err() == nil && !c.history.failed() {
				switch {
				case n >= 3:
					c.read(random)
				case c.reads.Load() >= readsPerWrite*(c.writes.Load()+c.refused.Load()):
					c.write(random)
				default:
					time.Sleep(time.Duration(1+random.IntN(5)) * time.Millisecond)
				}
			}
		})
	}
	clients.Wait()
	t.Logf("%d reads, %d hits; %d writes acknowledged, %d not", c.reads.Load(), c.hits.Load(), c.writes.Load(), c.refused.Load())
}

// demand fails the test for what was found wrong, and checks that the run was worth something.
func (c *coherence) demand(t *testing.T, hits float64, lost int) {
	t.Helper()
	for _, f := range c.history.failures {
		t.Error(f)
	}
	if t.Failed() {
		return
	}
	if share := float64(c.hits.Load()) / float64(max(c.reads.Load(), 1)); share < hits {
		t.Errorf("%.0f %% of the reads were hits, want %.0f %%", 100*share, 100*hits)
	}
	if n := c.writes.Load(); n < 50 {
		t.Errorf("only %d writes were acknowledged", n)
	}
	n := 0
	for _, r := range c.all {
		if r.lost.Load() {
			n++
		}
	}
	if n > lost {
		t.Errorf("of %d registers a write's outcome is unknown, want at most %d", n, lost)
	}
}

// disturb kills a worker, or stops it for a while, again and again.
func (c *coherence) disturb(ctx context.Context, g *gateway) {
	random := rand.New(rand.NewPCG(c.seed, 99))
	pause := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	for round := 0; ctx.Err() == nil; round++ {
		pause(time.Duration(300+random.IntN(500)) * time.Millisecond)
		s, err := g.status()
		if err != nil {
			continue
		}
		var pids []int
		for _, w := range s.Apps["default"].Workers {
			if w.Process != nil && w.Process.PID > 0 {
				pids = append(pids, w.Process.PID)
			}
		}
		if len(pids) == 0 {
			continue
		}
		pid := pids[random.IntN(len(pids))]
		if round%2 == 0 {
			c.history.add("* worker %d is killed", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			continue
		}
		c.history.add("* worker %d is stopped", pid)
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		pause(time.Duration(50+random.IntN(400)) * time.Millisecond)
		c.history.add("* worker %d goes on", pid)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// write brings one register, or a few objects by a batch, to their next versions.
func (c *coherence) write(random *rand.Rand) {
	switch random.IntN(4) {
	case 0:
		c.writeMember(random.IntN(len(c.members)))
	case 1:
		c.writeBatch(random)
	default:
		c.writeObject(random.IntN(len(c.objects)), random.IntN(2) == 0)
	}
}

// next is the request that brings an object to its next version. Its register is locked.
func (c *coherence) next(slot int) (method, path, body string, version int64) {
	v := c.objects[slot].begun.Load() + 1
	path = "/classes/" + coherentClass
	switch {
	case !alive(v):
		return "DELETE", path + "/" + objectID(slot), "", v
	case !alive(v - 1):
		return "POST", path, `{"objectId":"` + objectID(slot) + `",` + fields(slot, v)[1:], v
	}
	return "PUT", path + "/" + objectID(slot), fields(slot, v), v
}

func (c *coherence) writeObject(slot int, sdk bool) {
	r := c.objects[slot]
	if r.lost.Load() || !r.writing.TryLock() {
		return
	}
	defer r.writing.Unlock()
	method, path, body, v := c.next(slot)
	client := c.writer(slot)
	if client == nil {
		return
	}
	if sdk && method != "POST" {
		method, body = "POST", sdkForm(method, body)
		client = client.with("X-Parse-Application-Id", "", "X-Parse-REST-API-Key", "")
	}
	c.send(client, method, path, body, []*register{r}, []int64{v})
}

// sdkForm is a body as the JavaScript SDK sends it.
func sdkForm(method, body string) string {
	head := fmt.Sprintf(`{"_method":%q,"_ApplicationId":%q,"_JavaScriptKey":%q`, method, appID, jsKey)
	if body == "" || body == "{}" {
		return head + "}"
	}
	return head + "," + body[1:]
}

func (c *coherence) writeBatch(random *rand.Rand) {
	step := max(len(c.doors), 1) // so that one gateway writes all
	first := random.IntN(len(c.objects) - 3*step)
	client := c.writer(first)
	if client == nil {
		return
	}
	var registers []*register
	var versions []int64
	var requests []string
	for slot := first; slot < first+3*step; slot += step {
		r := c.objects[slot]
		if r.lost.Load() || !r.writing.TryLock() {
			continue
		}
		defer r.writing.Unlock()
		method, path, body, v := c.next(slot)
		if body == "" {
			body = "{}"
		}
		requests = append(requests, fmt.Sprintf(`{"method":%q,"path":"/parse%s","body":%s}`, method, path, body))
		registers, versions = append(registers, r), append(versions, v)
	}
	if len(requests) > 0 {
		c.send(client, "POST", "/batch", `{"requests":[`+strings.Join(requests, ",")+`]}`, registers, versions)
	}
}

func (c *coherence) writeMember(i int) {
	r := c.members[i]
	if r.lost.Load() || !r.writing.TryLock() {
		return
	}
	defer r.writing.Unlock()
	client := c.writer(i)
	if client == nil {
		return
	}
	v := r.begun.Load() + 1
	op := "RemoveRelation"
	if isMember(v) {
		op = "AddRelation"
	}
	body := fmt.Sprintf(`{"members":{"__op":%q,"objects":[%s]}}`, op, memberPointer(i))
	c.send(client, "PUT", "/classes/"+ownerClass+"/owner", body, []*register{r}, []int64{v})
}

// send sends a write. An answer that says neither that it was done nor that the outcome is unknown is wrong.
func (c *coherence) send(client *client, method, path, body string, registers []*register, versions []int64) {
	names := ""
	for i, r := range registers {
		r.begun.Store(versions[i])
		names += fmt.Sprintf(" %s to %d", r.name, versions[i])
	}
	c.history.add("write%s: %s %s", names, method, path)
	a, err := client.do(method, path, body)
	c.history.add("write%s: answered %d %v", names, a.status, err)
	done := err == nil && a.status/100 == 2 && !strings.Contains(a.body, `"error"`)
	for i, r := range registers {
		if done {
			r.wrote(client.door, versions[i])
		} else {
			r.lost.Store(true)
		}
	}
	switch {
	case done:
		c.writes.Add(1)
	case err != nil && c.dying.Load():
	case err == nil && (strings.Contains(a.body, outcomeUnknown) || a.status == http.StatusServiceUnavailable):
		c.refused.Add(1)
	default:
		c.history.fail(registers[0].name, "write%s: %s %s answered %d %s %v", names, method, path, a.status, a.body, err)
	}
}

// outcomeUnknown is a part of what the gateway says when it can't tell what became of a write.
const outcomeUnknown = "may or may not have been applied"

// question is a way to read, and what its answer must be like.
type question struct {
	name, path string
	params     [][2]string
	members    bool // it is about members rather than objects
	check      func(q *question, w *window, a answer) string
}

type object struct {
	ObjectID string
	Slot     int
	V, Rank  int64
	Target   *object
}

// get checks the answer to a get of an object.
func get(slot int) func(*question, *window, answer) string {
	return func(_ *question, w *window, a answer) string {
		var o object
		found := a.status == http.StatusOK
		if err := json.Unmarshal([]byte(a.body), &o); err != nil || !found && a.status != http.StatusNotFound {
			return fmt.Sprintf("answered %d %s", a.status, a.body)
		}
		if !w.check(slot, func(v int64) bool { return found && alive(v) && v == o.V || !found && !alive(v) }) {
			return w.describe(slot)
		}
		return ""
	}
}

// find checks the answer to a find of those objects that pass, in the order of rank, at most limit of them.
func find(pass func(v int64) bool, limit int) func(*question, *window, answer) string {
	return func(_ *question, w *window, a answer) string {
		var got struct{ Results []object }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
			return fmt.Sprintf("answered %d %s", a.status, a.body)
		}
		bound := int64(-1) // what has a lower rank may be cut off
		if len(got.Results) >= limit {
			bound = got.Results[len(got.Results)-1].Rank
		}
		var seen [coherentCount]int64
		for i, o := range got.Results {
			if o.Rank != rank(o.Slot, o.V) || i > 0 && got.Results[i-1].Rank <= o.Rank || !pass(o.V) {
				return "an object is torn, doesn't pass, or is at the wrong place"
			}
			seen[o.Slot] = o.V
		}
		for slot, version := range seen {
			fits := func(v int64) bool { return v == version && alive(v) }
			if version == 0 {
				fits = func(v int64) bool { return !alive(v) || !pass(v) || rank(slot, v) < bound }
			}
			if !w.check(slot, fits) {
				return w.describe(slot)
			}
		}
		return ""
	}
}

// count checks a count of the objects that pass: the windows give it bounds.
func count(pass func(v int64) bool) func(*question, *window, answer) string {
	return func(_ *question, w *window, a answer) string {
		var got struct{ Count int }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
			return fmt.Sprintf("answered %d %s", a.status, a.body)
		}
		least, most := 0, 0
		for i, r := range w.registers {
			always, sometimes := !r.lost.Load(), r.lost.Load()
			for v, high := w.low[i], r.begun.Load(); v <= high; v++ {
				in := alive(v) && pass(v)
				always, sometimes = always && in, sometimes || in
			}
			if always {
				least++
			}
			if sometimes {
				most++
			}
		}
		if got.Count < least || got.Count > most {
			return fmt.Sprintf("the count is %d, must be %d to %d", got.Count, least, most)
		}
		return ""
	}
}

// included checks holders whose targets are included.
func included(_ *question, w *window, a answer) string {
	var got struct{ Results []object }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK || len(got.Results) != coherentCount {
		return fmt.Sprintf("answered %d %s", a.status, a.body)
	}
	for _, h := range got.Results {
		there := h.Target != nil && h.Target.V > 0
		if !w.check(h.Slot, func(v int64) bool { return there && alive(v) && v == h.Target.V || !there && !alive(v) }) {
			return w.describe(h.Slot)
		}
	}
	return ""
}

// holders checks a find of the holders whose target passes.
func holders(pass func(v int64) bool) func(*question, *window, answer) string {
	return func(_ *question, w *window, a answer) string {
		var got struct{ Results []object }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
			return fmt.Sprintf("answered %d %s", a.status, a.body)
		}
		var there [coherentCount]bool
		for _, h := range got.Results {
			there[h.Slot] = true
		}
		for slot, in := range there {
			if !w.check(slot, func(v int64) bool { return in == (alive(v) && pass(v)) }) {
				return w.describe(slot)
			}
		}
		return ""
	}
}

// related checks the members of the relation.
func related(_ *question, w *window, a answer) string {
	var got struct{ Results []object }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
		return fmt.Sprintf("answered %d %s", a.status, a.body)
	}
	there := map[string]bool{}
	for _, o := range got.Results {
		there[o.ObjectID] = true
	}
	for i, r := range w.registers {
		if !w.check(i, func(v int64) bool { return isMember(v) == there[r.name] }) {
			return w.describe(i)
		}
	}
	return ""
}

var questions = func() []question {
	objects, holding := "/classes/"+coherentClass, "/classes/"+holderClass
	byRank := [2]string{"order", "-rank"}
	everything := func(int64) bool { return true }
	inGroup := func(n int64) func(int64) bool { return func(v int64) bool { return group(v) == n } }
	find := func(name, where string, pass func(int64) bool) question {
		return question{name: name, path: objects, params: [][2]string{{"where", where}, byRank}, check: find(pass, 100)}
	}
	list := []question{
		find("equality", `{"group":1}`, inGroup(1)),
		find("another equality", `{"group":2}`, inGroup(2)),
		find("two equalities", `{"group":0,"tag":"t1"}`, func(v int64) bool { return group(v) == 0 && v%2 == 1 }),
		find("$in", `{"group":{"$in":[0,2]}}`, func(v int64) bool { return group(v) != 1 }),
		find("$nin", `{"group":{"$nin":[0,2]}}`, inGroup(1)),
		find("$ne", `{"tag":{"$ne":"t0"}}`, func(v int64) bool { return v%2 == 1 }),
		find("range", `{"mod":{"$gte":2,"$lt":5}}`, func(v int64) bool { return mod(v) >= 2 && mod(v) < 5 }),
		find("$or", `{"$or":[{"group":1},{"mod":{"$gt":4}}]}`, func(v int64) bool { return group(v) == 1 || mod(v) > 4 }),
		find("an array's element", `{"list":1}`, inGroup(1)),
		find("$regex", `{"tag":{"$regex":"^t1$"}}`, func(v int64) bool { return v%2 == 1 }),
		find("no where", `{}`, everything),
		{name: "limit", path: objects, params: [][2]string{byRank, {"limit", "3"}}, check: limited(everything, 3)},
		{name: "where and limit", path: objects, params: [][2]string{{"where", `{"group":{"$ne":1}}`}, byRank, {"limit", "2"}},
			check: limited(func(v int64) bool { return group(v) != 1 }, 2)},
		{name: "count", path: objects, params: [][2]string{{"where", `{"group":1}`}, {"count", "1"}, {"limit", "0"}}, check: count(inGroup(1))},
		{name: "count of all", path: objects, params: [][2]string{{"count", "1"}, {"limit", "0"}}, check: count(everything)},
		{name: "include", path: holding, params: [][2]string{{"include", "target"}}, check: included},
		{name: "$inQuery", path: holding, params: [][2]string{{"where", `{"target":{"$inQuery":{"className":"` + coherentClass + `","where":{"group":1}}}}`}},
			check: holders(inGroup(1))},
		{name: "$notInQuery", path: holding, params: [][2]string{{"where", `{"target":{"$notInQuery":{"className":"` + coherentClass + `","where":{"group":1}}}}`}},
			check: notHolders(inGroup(1))},
		{name: "$select", path: holding, params: [][2]string{{"where", `{"slot":{"$select":{"key":"slot","query":{"className":"` + coherentClass + `","where":{"tag":"t1"}}}}}`}},
			check: holders(func(v int64) bool { return v%2 == 1 })},
		{name: "$relatedTo", path: "/classes/" + memberClass, members: true, check: related,
			params: [][2]string{{"where", `{"$relatedTo":{"object":{"__type":"Pointer","className":"` + ownerClass + `","objectId":"owner"},"key":"members"}}`}}},
	}
	for slot := range coherentCount {
		list = append(list,
			question{name: "get", path: objects + "/" + objectID(slot), check: get(slot)},
			question{name: "get with keys", path: objects + "/" + objectID(slot), params: [][2]string{{"keys", "v,slot,rank"}}, check: get(slot)})
	}
	return list
}()

func limited(pass func(int64) bool, limit int) func(*question, *window, answer) string {
	return find(pass, limit)
}

func notHolders(pass func(int64) bool) func(*question, *window, answer) string {
	return func(_ *question, w *window, a answer) string {
		var got struct{ Results []object }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
			return fmt.Sprintf("answered %d %s", a.status, a.body)
		}
		var there [coherentCount]bool
		for _, h := range got.Results {
			there[h.Slot] = true
		}
		for slot, in := range there {
			if !w.check(slot, func(v int64) bool { return in != (alive(v) && pass(v)) }) {
				return w.describe(slot)
			}
		}
		return ""
	}
}

// read asks a question, in one of its forms, and checks the answer.
func (c *coherence) read(random *rand.Rand) {
	q := &questions[random.IntN(len(questions))]
	client, method, path, body := c.any(), "GET", q.path, ""
	switch random.IntN(8) {
	case 0, 1, 2:
		method, body = "POST", sdkForm("GET", q.json())
		client = client.with("X-Parse-Application-Id", "", "X-Parse-REST-API-Key", "")
	case 3:
		client = client.with("Cache-Control", "no-cache")
		fallthrough
	default:
		path += q.queryString()
	}
	registers := c.objects
	if q.members {
		registers = c.members
	}
	w := openWindow(registers, client.door, c.bound)
	a, err := client.do(method, path, body)
	c.reads.Add(1)
	if err != nil && c.dying.Load() {
		return
	}
	if err != nil {
		c.history.fail("*", "%s: a read failed: %v", q.name, err)
		return
	}
	if a.verdict() == hit {
		c.hits.Add(1)
	}
	if why := q.check(q, &w, a); why != "" {
		about := "write"
		for _, r := range registers {
			if strings.Contains(why, r.name) {
				about = r.name
			}
		}
		c.history.fail(about, "%s %s %s%s (%s, seed %d): %s\n%s", q.name, method, path, body, a.header.Get("Cache-Status"), c.seed, why, a.body)
	}
}

func (q *question) queryString() string {
	values := url.Values{}
	for _, p := range q.params {
		values.Set(p[0], p[1])
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func (q *question) json() string {
	var members []string
	for _, p := range q.params {
		value := p[1]
		if p[0] != "where" && p[0] != "limit" && p[0] != "count" {
			value = strconv.Quote(value)
		}
		members = append(members, strconv.Quote(p[0])+":"+value)
	}
	return "{" + strings.Join(members, ",") + "}"
}
