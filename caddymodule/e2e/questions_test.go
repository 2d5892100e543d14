package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

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

// holders checks a find of the holders whose target passes, or of those whose target doesn't.
func holders(passes bool, pass func(v int64) bool) func(*question, *window, answer) string {
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
			if !w.check(slot, func(v int64) bool { return in == ((alive(v) && pass(v)) == passes) }) {
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
			check: holders(true, inGroup(1))},
		{name: "$notInQuery", path: holding, params: [][2]string{{"where", `{"target":{"$notInQuery":{"className":"` + coherentClass + `","where":{"group":1}}}}`}},
			check: holders(false, inGroup(1))},
		{name: "$select", path: holding, params: [][2]string{{"where", `{"slot":{"$select":{"key":"slot","query":{"className":"` + coherentClass + `","where":{"tag":"t1"}}}}}`}},
			check: holders(true, func(v int64) bool { return v%2 == 1 })},
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
