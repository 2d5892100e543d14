package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/caddymodule/e2e/linearity"
)

const (
	contendedClass = "CohContended"
	contendedCount = 4
	// lonelyCount are as many objects more that nobody but disturb writes: what shows of a write whose worker was killed isn't
	// covered by the next one at once.
	lonelyCount = 2
	// maxCheck bounds the check of one object's history. It takes some milliseconds.
	maxCheck = 30 * time.Second
)

// contended are a few objects that all clients of a coherence write, through any gateway and at once, also after a write whose
// outcome is unknown. The history is checked after the run.
//
// That check doesn't replace the registers, nor they it. A register knows at once what an answer about many objects may be:
// what a count is, what a limit cuts off, what an inner query finds; the history of a single object doesn't tell. In return
// a register is written by one client at a time, and no more once an outcome is unknown.
type contended struct {
	history linearity.History
	start   time.Time
	// versions are the newest, of each object; updates only: nobody deletes the objects.
	versions    [contendedCount + lonelyCount]atomic.Int64
	updatesOnly bool

	reads, hits, writes, unknown atomic.Int64
}

func contendedID(slot int) string { return fmt.Sprintf("contended%d", slot) }

func contendedFields(slot int, v int64, impatient bool) string {
	return fmt.Sprintf(`{"name":%q,"v":%d,"tag":"t%d","impatient":%v}`, contendedID(slot), v, v, impatient)
}

// newContended makes the objects through a client.
func newContended(t *testing.T, client *client, seed uint64) *contended {
	s := &contended{start: time.Now()}
	s.history.Test, s.history.Seed = t.Name(), seed
	for slot := range contendedCount + lonelyCount {
		v := s.versions[slot].Add(1)
		call := time.Since(s.start)
		client.create(t, contendedClass, `{"objectId":"`+contendedID(slot)+`",`+contendedFields(slot, v, false)[1:])
		s.add(linearity.Operation{Object: contendedID(slot), Kind: linearity.Create, Outcome: linearity.Done, Version: v}, call)
	}
	return s
}

// add adds an operation that began at call and has ended now.
func (s *contended) add(o linearity.Operation, call time.Duration) {
	o.Call, o.Return = int64(call), int64(time.Since(s.start))
	s.history.Add(o)
}

// drawKind is what a write does.
func (s *contended) drawKind(random *rand.Rand) linearity.Kind {
	switch n := random.IntN(10); {
	case s.updatesOnly || n < 6:
		return linearity.Update
	case n < 9: // most objects should be there
		return linearity.Create
	}
	return linearity.Delete
}

// impatience is for how long a client waits that gives up. Nobody repeats its write if the worker dies.
const impatience = 100 * time.Millisecond

// writeContended writes one object, as client number n. What an impatient one does is an update.
func (c *coherence) writeContended(n, slot int, impatient bool, random *rand.Rand) {
	s := c.contended
	client := c.any(random)
	o := linearity.Operation{Object: contendedID(slot), Client: n, Gateway: client.door, Kind: s.drawKind(random)}
	if impatient {
		o.Kind = linearity.Update
	}
	method, path, body := "PUT", "/classes/"+contendedClass+"/"+o.Object, ""
	switch o.Kind {
	case linearity.Delete:
		method = "DELETE"
	default:
		o.Version = s.versions[slot].Add(1)
		body = contendedFields(slot, o.Version, impatient)
		if o.Kind == linearity.Create {
			method, path, body = "POST", "/classes/"+contendedClass, `{"objectId":"`+o.Object+`",`+body[1:]
		}
	}
	o.Request = method
	if random.IntN(2) == 0 && method != "POST" {
		method, body = "POST", sdkForm(method, body)
		client = client.with("X-Parse-Application-Id", "", "X-Parse-REST-API-Key", "")
		o.Request += " of the SDK"
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if impatient {
		ctx, cancel = context.WithTimeout(ctx, impatience)
	}
	defer cancel()
	call := time.Since(s.start)
	mayFail := c.mayFail()
	a, err := client.doContext(ctx, method, path, body)
	o.Outcome = linearity.Unknown
	switch {
	case err != nil && (mayFail() || ctx.Err() != nil):
	case err == nil && a.status/100 == 2:
		o.Outcome = linearity.Done
	case err == nil && (o.Kind == linearity.Create && parseCode(a) == duplicateValue || o.Kind != linearity.Create && parseCode(a) == objectNotFound):
		o.Outcome = linearity.Refused
	case err == nil && (strings.Contains(a.body, outcomeUnknown) || a.status == http.StatusServiceUnavailable):
	default:
		c.journal.fail(o.Object, "%s %s answered %d %s %v", o.Request, path, a.status, a.body, err)
	}
	s.add(o, call)
	if s.writes.Add(1); o.Outcome == linearity.Unknown {
		s.unknown.Add(1)
	}
}

// What Parse says of a write that the object's state forbids.
const (
	objectNotFound = 101
	duplicateValue = 137
)

// parseCode is the code of Parse's error, 0 of anything else.
func parseCode(a answer) int {
	var e struct{ Code int }
	_ = json.Unmarshal([]byte(a.body), &e)
	return e.Code
}

// readContended reads one object, as client number n.
func (c *coherence) readContended(n int, random *rand.Rand) {
	s, slot := c.contended, random.IntN(contendedCount+lonelyCount)
	client := c.any(random)
	o := linearity.Operation{Object: contendedID(slot), Client: n, Gateway: client.door, Kind: linearity.Read, Outcome: linearity.Done}
	q := &question{path: "/classes/" + contendedClass}
	got := random.IntN(4)
	switch got {
	case 0:
		q.path += "/" + o.Object
	case 1:
		q.path, q.params = q.path+"/"+o.Object, [][2]string{{"keys", "v,tag"}}
	case 2:
		q.params = [][2]string{{"where", fmt.Sprintf(`{"name":%q}`, o.Object)}}
	case 3:
		q.params = [][2]string{{"where", fmt.Sprintf(`{"objectId":%q}`, o.Object)}}
	}
	call := time.Since(s.start)
	mayFail := c.mayFail()
	a, err := c.ask(q, client, random)
	if err != nil && mayFail() {
		return
	}
	o.Request = fmt.Sprintf("%s %v (%s)", q.path, q.params, a.header.Get("Cache-Status"))
	o.Current = a.verdict() == asked
	if err == nil {
		o.Version, err = shown(a, got < 2)
	}
	if err != nil {
		c.journal.fail(o.Object, "%s: %v", o.Request, err)
		return
	}
	s.add(o, call)
	s.reads.Add(1)
	if a.verdict() == hit {
		s.hits.Add(1)
	}
}

// shown is the version of the object in the answer to a get or a find, 0 if there is none.
func shown(a answer, get bool) (int64, error) {
	var found struct {
		V       int64
		Tag     string
		Results []struct {
			V   int64
			Tag string
		}
	}
	err := json.Unmarshal([]byte(a.body), &found)
	switch {
	case err == nil && get && parseCode(a) == objectNotFound, err == nil && !get && a.status == http.StatusOK && len(found.Results) == 0:
		return 0, nil
	case err == nil && !get && a.status == http.StatusOK && len(found.Results) == 1:
		found.V, found.Tag = found.Results[0].V, found.Results[0].Tag
	}
	if err != nil || a.status != http.StatusOK || found.V == 0 || found.Tag != fmt.Sprintf("t%d", found.V) {
		return 0, fmt.Errorf("answered %d %s", a.status, a.body)
	}
	return found.V, nil
}

// historiesVariable names the folder for the histories of runs that failed; it is one in the system's temporary folder
// otherwise.
const historiesVariable = "PARSESCALE_TEST_HISTORIES"

// demand fails the test if the history breaks the promise, or was worth nothing. It saves the history of a run that failed.
func (s *contended) demand(t *testing.T, failures []string) {
	t.Helper()
	began := time.Now()
	v, err := s.history.Check(maxCheck)
	t.Logf("contended objects: %d reads, %d hits; %d writes, of which the outcome of %d is unknown; checked in %s",
		s.reads.Load(), s.hits.Load(), s.writes.Load(), s.unknown.Load(), time.Since(began).Round(time.Millisecond))
	s.history.Failures = failures
	if err != nil {
		s.history.Failures = append(s.history.Failures, err.Error())
	}
	if v != nil {
		s.history.Failures = append(s.history.Failures, v.Error())
	}
	if len(s.history.Failures) > 0 {
		for _, f := range s.history.Failures {
			t.Error(f)
		}
		folder := os.Getenv(historiesVariable)
		if folder == "" {
			folder = filepath.Join(os.TempDir(), "parsescale-histories")
		}
		files, err := s.history.Save(folder, fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), s.history.Seed), v)
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("the history of the contended objects and the seed, %d, are in %s; check it again with PARSESCALE_TEST_SAVED=FILE go test -run TestSaved ./caddymodule/e2e/linearity",
			s.history.Seed, files)
		return
	}
	if share := float64(s.hits.Load()) / float64(max(s.reads.Load(), 1)); share < minCoherentHits {
		t.Errorf("%.0f %% of the reads of contended objects were hits, want %.0f %%", 100*share, 100*minCoherentHits)
	}
}
