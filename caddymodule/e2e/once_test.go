package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestWritesHappenOnce kills workers under writes that would show if they were done twice, and checks afterwards that
// each acknowledged one happened exactly once: rule 4 of the design.
func TestWritesHappenOnce(t *testing.T) {
	testservices.NeedTime(t, "8 s of killing workers")
	g := startGateway(t, bundledApp("option allowCustomObjectId true", ""))
	c := newClient(t, g.url())
	counter := c.create(t, "OnceCounter", `{"n":0,"list":[]}`)
	c.create(t, "OnceOwner", `{"objectId":"first","members":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"OnceMember","objectId":"none"}]}}`)
	var writers []*onceWriter
	var running sync.WaitGroup
	var stop atomic.Bool
	for n := range 12 {
		w := &onceWriter{client: newClient(t, g.url()), number: n, counter: counter, keys: map[string]int{}, users: map[string]string{}}
		writers = append(writers, w)
		running.Go(func() {
			for i := 0; !stop.Load() && len(w.wrong) == 0; i++ {
				w.step(i)
			}
		})
	}
	random, kills := rand.New(rand.NewPCG(3, 4)), 0
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); {
		time.Sleep(time.Duration(300+random.IntN(400)) * time.Millisecond) // of load
		if pids := g.workers(); len(pids) > 0 && syscall.Kill(pids[random.IntN(len(pids))], syscall.SIGKILL) == nil {
			kills++
		}
	}
	stop.Store(true)
	running.Wait()
	if kills < 8 {
		t.Errorf("only %d workers were there to be killed", kills)
	}
	checkOnce(t, c, writers, counter)
}

// onceWriter is one client, and what it was told.
type onceWriter struct {
	*client
	number  int
	counter string
	keys    map[string]int    // of objects made by batches: 1 acknowledged, 0 of unknown outcome
	users   map[string]string // username → objectId of acknowledged sign-ups

	increments, maybe  int    // of the one counter, acknowledged and of unknown outcome
	members            []bool // whether the relation should have the i-th member
	memberLost         map[int]bool
	acknowledged, lost int
	wrong              []string
}

// send reports whether a write was acknowledged. Any refusal but "the outcome is unknown" is wrong: the writes are fine
// as they are, so it would come from a repetition that was taken for a second write.
func (w *onceWriter) send(method, path, body string) (answer, bool) {
	a, err := w.do(method, path, body)
	switch {
	case err == nil && a.status/100 == 2:
		w.acknowledged++
		return a, true
	case err == nil && (strings.Contains(a.body, outcomeUnknown) || a.status == http.StatusServiceUnavailable):
		w.lost++
	default:
		note(&w.wrong, "%s %s %s: %d %s %v", method, path, body, a.status, a.body, err)
	}
	time.Sleep(pauseAfterFailure)
	return a, false
}

func (w *onceWriter) step(i int) {
	switch {
	case i%40 == 7:
		w.signUp(i)
	case i%4 == 0:
		w.batch(i)
	case i%4 == 1:
		w.member(i)
	default:
		w.increment(i)
	}
}

// batch makes three objects and increments the counter twice.
func (w *onceWriter) batch(i int) {
	var requests []string
	for k := range 3 {
		requests = append(requests, fmt.Sprintf(`{"method":"POST","path":"/parse/classes/OnceObject","body":{"key":"%d/%d/%d"}}`, w.number, i, k))
	}
	for range 2 {
		requests = append(requests, `{"method":"PUT","path":"/parse/classes/OnceCounter/`+w.counter+`","body":{"n":{"__op":"Increment","amount":1}}}`)
	}
	a, ok := w.send("POST", "/batch", `{"requests":[`+strings.Join(requests, ",")+`]}`)
	if ok && (strings.Contains(a.body, `"error"`) || strings.Count(a.body, `"success"`) != len(requests)) {
		note(&w.wrong, "a batch answered %s", a.body)
	}
	for k := range 3 {
		key := fmt.Sprintf("%d/%d/%d", w.number, i, k)
		if w.keys[key] = 0; ok {
			w.keys[key] = 1
		}
	}
	if ok {
		w.increments += 2
	} else {
		w.maybe += 2
	}
}

// increment adds to the counter that everybody adds to.
func (w *onceWriter) increment(int) {
	if _, ok := w.send("PUT", "/classes/OnceCounter/"+w.counter, `{"n":{"__op":"Increment","amount":1}}`); ok {
		w.increments++
	} else {
		w.maybe++
	}
}

// member puts a member into the client's relation, or takes the one before out.
func (w *onceWriter) member(i int) {
	n, add := len(w.members), i%8 == 1
	if !add {
		n--
	}
	if n < 0 {
		return
	}
	op := "RemoveRelation"
	if add {
		op = "AddRelation"
		w.members = append(w.members, true)
	}
	path, method := "/classes/OnceOwner/"+w.owner(), "PUT"
	body := fmt.Sprintf(`{"members":{"__op":%q,"objects":[{"__type":"Pointer","className":"OnceMember","objectId":%q}]}}`, op, w.memberID(n))
	if n == 0 && add {
		path, method = "/classes/OnceOwner", "POST"
		body = fmt.Sprintf(`{"objectId":%q,%s`, w.owner(), body[1:])
	}
	a, ok := w.send(method, path, body)
	if w.members[n] = add; !ok {
		if w.memberLost == nil {
			w.memberLost = map[int]bool{}
		}
		w.memberLost[n] = true
		if n == 0 {
			note(&w.wrong, "the owner couldn't be made: %s", a.body)
		}
	}
}

func (w *onceWriter) owner() string { return fmt.Sprintf("owner%d", w.number) }

func (w *onceWriter) memberID(n int) string { return fmt.Sprintf("member%dx%d", w.number, n) }

func (w *onceWriter) signUp(i int) {
	name := fmt.Sprintf("once%d-%d", w.number, i)
	a, ok := w.send("POST", "/users", fmt.Sprintf(`{"username":%q,"password":"p"}`, name))
	if !ok {
		return
	}
	var made struct{ ObjectID, SessionToken string }
	if err := json.Unmarshal([]byte(a.body), &made); err != nil || made.ObjectID == "" || made.SessionToken == "" {
		note(&w.wrong, "a sign-up answered %s", a.body)
		return
	}
	w.users[name] = made.ObjectID
	me, err := w.with("X-Parse-Session-Token", made.SessionToken).do("GET", "/users/me", "")
	if err != nil || !strings.Contains(me.body, made.ObjectID) {
		note(&w.wrong, "the session of sign-up %s isn't there: %d %s %v", name, me.status, me.body, err)
	}
}

// checkMembers makes the members that exist only as ids, which shows whose relation has them.
func (w *onceWriter) checkMembers(t *testing.T, reader *client) {
	t.Helper()
	for n := range w.members {
		reader.must(t, "POST", "/classes/OnceMember", fmt.Sprintf(`{"objectId":%q}`, w.memberID(n)), nil)
	}
	var found struct{ Results []struct{ ObjectID string } }
	reader.must(t, "GET", where("OnceMember", fmt.Sprintf(`{"$relatedTo":{"object":{"__type":"Pointer","className":"OnceOwner","objectId":%q},"key":"members"}}`, w.owner()), "limit=10000"), "", &found)
	times := map[string]int{}
	for _, o := range found.Results {
		times[o.ObjectID]++
	}
	for n, in := range w.members {
		switch got := times[w.memberID(n)]; {
		case w.memberLost[n]:
		case got > 1 || (got == 1) != in:
			t.Errorf("the relation of client %d has member %d %d times; it should be in: %v", w.number, n, got, in)
		}
	}
}

// checkOnce compares what is there with what the clients were told.
func checkOnce(t *testing.T, c *client, writers []*onceWriter, counter string) {
	t.Helper()
	reader := c.with("Cache-Control", "no-cache", "X-Parse-Master-Key", masterKey)
	acknowledged, lost, increments, maybe, users := 0, 0, 0, 0, 0
	var found struct {
		Results []struct{ ObjectID, Key, Username string }
	}
	reader.must(t, "GET", "/classes/OnceObject?limit=100000&keys=key", "", &found)
	times := map[string]int{}
	for _, o := range found.Results {
		times[o.Key]++
	}
	found.Results = nil
	reader.must(t, "GET", "/users?limit=100000&keys=username", "", &found)
	ids := map[string]string{}
	for _, u := range found.Results {
		ids[u.Username] = u.ObjectID
	}
	for _, w := range writers {
		for _, text := range w.wrong {
			t.Errorf("client %d: %s", w.number, text)
		}
		for key, told := range w.keys {
			if n := times[key]; n > 1 || n < told {
				t.Errorf("object %s is there %d times", key, n)
			}
		}
		for name, id := range w.users {
			if ids[name] != id {
				t.Errorf("user %s was acknowledged as %s, and is there as %q", name, id, ids[name])
			}
		}
		w.checkMembers(t, reader)
		acknowledged, lost, users = acknowledged+w.acknowledged, lost+w.lost, users+len(w.users)
		increments, maybe = increments+w.increments, maybe+w.maybe
	}
	var got struct{ N int }
	reader.must(t, "GET", "/classes/OnceCounter/"+counter, "", &got)
	if got.N < increments || got.N > increments+maybe {
		t.Errorf("the counter is %d after %d acknowledged increments and %d of unknown outcome", got.N, increments, maybe)
	}
	t.Logf("%d writes acknowledged, %d of unknown outcome; %d increments, %d sign-ups", acknowledged, lost, increments, users)
	if acknowledged < 500 || users < 12 || lost > acknowledged/50 {
		t.Error("too few writes were acknowledged")
	}
}
