package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// randomTime bounds how long each of the random parts takes on a slow machine; a usual one gets through them before.
const randomTime = 7 * time.Second

// randomFields are the fields of the class Random by their types, randomPaths what wheres speak of.
var (
	randomFields = map[string]string{
		"s": "String", "n": "Number", "b": "Boolean", "d": "Date", "p": "Pointer", "f": "File", "a": "Array", "o": "Object",
		"g": "GeoPoint", "y": "Bytes", "r": "Relation",
	}
	randomPaths = []string{"s", "s", "n", "n", "b", "d", "p", "p", "f", "a", "a", "a", "a", "o", "g", "y", "o.k", "o.k", "o.l", "o.k.k", "a.0", "o.0", "a.1.k"}
)

// generator makes JSON texts; the same seed gives the same ones.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0))} }

func (g generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) text() string {
	return g.pick(`"x"`, `"y"`, `"xy"`, `""`, `"1"`, `"2.0"`, `"true"`, `"[1]"`, `"{}"`, `"X"`, `"é"`, `"2020-01-01T00:00:00.000Z"`, `"a\nb"`, `"it's"`, `"a.b"`, `"null"`, `"%_"`, `"\\"`)
}

func (g generator) number() string { return g.pick("0", "1", "2", "-1.5", "1e21", "1e-7", "0.1") }

func (g generator) pointer() string {
	return g.pick(`{"__type":"Pointer","className":"A","objectId":"x"}`, `{"__type":"Pointer","className":"A","objectId":"y"}`, `{"__type":"Pointer","className":"A","objectId":"1"}`)
}

// typed is a value of a type.
func (g generator) typed(kind string) string {
	switch kind {
	case "String":
		return g.text()
	case "Number":
		return g.number()
	case "Boolean":
		return g.pick("true", "false")
	case "Date":
		return g.pick(`{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}`, `{"__type":"Date","iso":"2020-01-02T00:00:00.000Z"}`)
	case "Pointer":
		return g.pointer()
	case "File":
		return g.pick(`{"__type":"File","name":"x"}`, `{"__type":"File","name":"y"}`)
	case "GeoPoint":
		return g.pick(`{"__type":"GeoPoint","latitude":1,"longitude":2}`, `{"__type":"GeoPoint","latitude":3,"longitude":4}`)
	case "Bytes":
		return g.pick(`{"__type":"Bytes","base64":"aGk="}`, `{"__type":"Bytes","base64":"aGg="}`)
	case "Array":
		return g.list(4, func() string { return g.any(1) })
	case "Relation":
		return `{"__type":"Relation","className":"A"}`
	}
	return fmt.Sprintf(`{"k":%s,"l":%s,"0":%s}`, g.any(2), g.any(1), g.any(0))
}

// any is a value of any type, with lists and objects in each other to a depth.
func (g generator) any(depth int) string {
	switch k := g.IntN(12); {
	case k < 3:
		return g.text()
	case k == 6:
		return g.typed("Boolean")
	case k == 7:
		return g.pointer()
	case k == 8:
		return g.typed(g.pick("Date", "File", "GeoPoint"))
	case k == 9 && depth > 0:
		return g.list(3, func() string { return g.any(depth - 1) })
	case k == 10 && depth > 0:
		return fmt.Sprintf(`{"k":%s,"l":%s}`, g.any(depth-1), g.any(depth-1))
	case k == 11:
		return "null"
	}
	return g.number()
}

func (g generator) list(below int, f func() string) string {
	l := make([]string, g.IntN(below))
	for i := range l {
		l[i] = f()
	}
	return "[" + strings.Join(l, ",") + "]"
}

// object is an object of the class Random with some of its fields.
func (g generator) object() string {
	var l []string
	for _, name := range sortedNames(randomFields) {
		if name != "r" && g.IntN(4) > 0 {
			l = append(l, fmt.Sprintf("%q:%s", name, g.typed(randomFields[name])))
		}
	}
	return "{" + strings.Join(l, ",") + "}"
}

// change is what an update does to one field.
func (g generator) change(name string) string {
	kind := randomFields[name]
	if g.IntN(12) == 0 { // what fits another type
		kind = g.pick(sortedValues(randomFields)...)
	}
	switch {
	case g.IntN(8) == 0:
		return `{"__op":"Delete"}`
	case kind == "Number" && g.IntN(2) == 0:
		return fmt.Sprintf(`{"__op":"Increment","amount":%s}`, g.pick("1", "-2", "0.5", "0", "1e3"))
	case kind == "Array" && g.IntN(4) > 0:
		op := g.pick("Add", "AddUnique", "Remove")
		return fmt.Sprintf(`{"__op":%q,"objects":%s}`, op, g.list(4, func() string { return g.any(1) }))
	case kind == "Relation":
		return fmt.Sprintf(`{"__op":%q,"objects":%s}`, g.pick("AddRelation", "RemoveRelation"), g.list(3, g.pointer))
	case kind == "Object" && g.IntN(8) == 0:
		return "null"
	}
	return g.typed(kind)
}

// update is a change of some fields, or of places inside the object field.
func (g generator) update() string {
	var l []string
	for _, name := range sortedNames(randomFields) {
		if change := g.change(name); g.IntN(4) == 0 && !strings.Contains(change, "Bytes") { // which it can't update
			l = append(l, fmt.Sprintf("%q:%s", name, change))
		}
	}
	return "{" + strings.Join(l, ",") + "}"
}

// operand is what a condition on a path compares with.
func (g generator) operand(path string) string {
	if strings.Contains(path, ".") {
		return g.scalar()
	}
	if path == "a" {
		return g.any(1)
	}
	return g.typed(randomFields[path])
}

// scalar is a value without parts.
func (g generator) scalar() string {
	return g.pick(`"x"`, `"xy"`, `"é"`, `"X"`, "2", "0.1")
}

// condition is a condition on one path, of those that COMPATIBILITY.md doesn't list: Parse Server drops some conditions
// on paths inside fields, and never finds a File by $eq, $in and the like.
func (g generator) condition() string {
	path := g.pick(randomPaths...)
	operand := func() string { return g.operand(path) }
	any := func() string { return g.any(1) }
	kind := g.IntN(14)
	if strings.Contains(path, ".") && kind >= 6 && kind != 12 {
		return fmt.Sprintf(`%q:{"$in":[%s,%s]}`, path, operand(), operand())
	}
	switch {
	case path == "f" && (kind >= 2 && kind <= 8 || kind == 13), path == "p" && (kind == 4 || kind == 5 || kind == 13), path == "b" && (kind == 4 || kind == 5 || kind == 13):
		kind = 0
	case path == "a" && (kind < 6 || kind > 11):
		kind = 6 + g.IntN(6)
	case path == "o" || path == "g" || path == "y":
		kind = 9
	}
	switch kind {
	case 0, 1:
		return fmt.Sprintf(`%q:%s`, path, operand())
	case 2:
		return fmt.Sprintf(`%q:{"$eq":%s}`, path, operand())
	case 3:
		return fmt.Sprintf(`%q:{"$ne":%s}`, path, operand())
	case 4, 5:
		than := operand()
		if than == `""` { // which Parse Server refuses
			than = `"x"`
		}
		return fmt.Sprintf(`%q:{%q:%s}`, path, g.pick("$lt", "$lte", "$gt", "$gte"), than)
	case 6, 7:
		return fmt.Sprintf(`%q:{"$in":%s}`, path, g.list(4, operand))
	case 8:
		return fmt.Sprintf(`%q:{"$nin":%s}`, path, g.list(4, operand))
	case 9:
		return fmt.Sprintf(`%q:{"$exists":%s}`, path, g.typed("Boolean"))
	case 10:
		if path != "a" {
			return fmt.Sprintf(`%q:%s`, path, operand())
		}
		return fmt.Sprintf(`%q:{"$all":[%s,%s]}`, path, any(), any())
	case 11:
		return fmt.Sprintf(`%q:{"$containedBy":%s}`, path, g.list(4, any))
	case 12:
		pattern := g.pick(`"x"`, `"^x"`, `"^\\Qx\\E"`, `"\\Qy\\E$"`, `"[xy]$"`, `"."`, `"a.b"`, `"^a$"`, `"(x|1)+"`, `"^\\Qa.\\E"`, `"it's"`, `"^\\Qit's\\E"`, `"[^x]"`, `"\\d{1,2}"`, `"b$"`, `"é"`, `"(?=x)"`)
		return fmt.Sprintf(`%q:{"$regex":%s,"$options":%q}`, path, pattern, g.pick("i", "s", "m", "x"))
	}
	than := operand()
	if than == `""` {
		than = `"x"`
	}
	return fmt.Sprintf(`%q:{"$gt":%s,"$ne":%s}`, path, than, operand())
}

func (g generator) where() string {
	switch g.IntN(6) {
	case 0:
		return fmt.Sprintf(`{%s,"$or":[{%s},{%s}]}`, g.condition(), g.condition(), g.condition())
	case 1:
		return fmt.Sprintf(`{"$nor":[{%s},{%s}]}`, g.condition(), g.condition())
	}
	return "{" + g.condition() + "}"
}

func sortedNames(m map[string]string) []string {
	var l []string
	for name := range m {
		l = append(l, name)
	}
	slices.Sort(l)
	return l
}

func sortedValues(m map[string]string) []string {
	var l []string
	for _, v := range m {
		l = append(l, v)
	}
	slices.Sort(l)
	return l
}

// twins are the two servers in the random parts: Parse Server first.
type twins [2]*client

func (w twins) both(t *testing.T, method string, path [2]string, body string) [2]answer {
	t.Helper()
	var a [2]answer
	var errs [2]error
	var asked sync.WaitGroup
	for i, c := range w {
		asked.Go(func() { a[i], errs[i] = c.do(method, path[i], body) })
	}
	asked.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatalf("%s %s: %v", method, path[0], err)
	}
	return a
}

// makeClass gives both servers the class, by an object that has every field, and returns the object's ids.
func (w twins) makeClass(t *testing.T, class string) {
	t.Helper()
	var l []string
	g := newGenerator(1)
	for _, name := range sortedNames(randomFields) {
		value := g.typed(randomFields[name])
		if name == "r" {
			value = `{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"A","objectId":"x"}]}`
		}
		l = append(l, fmt.Sprintf("%q:%s", name, value))
	}
	for _, c := range w {
		c.create(t, "A", `{"s":"x"}`)
		id := c.create(t, class, "{"+strings.Join(l, ",")+"}")
		c.must(t, "DELETE", "/classes/"+class+"/"+id, "", nil)
	}
}

// randomWrites creates objects on both servers and changes them, with all types and operations, and compares the
// answers and what is stored then. What Parse Server answers with 500 the worker may accept or refuse, but not with 500.
func randomWrites(t *testing.T, reference, worker *client, name string) {
	class := "RandomWrites" + name
	w := twins{reference, worker}
	w.makeClass(t, class)
	g := newGenerator(2)
	start, writes, failed := time.Now(), 0, 0
	for ; writes < 600 && time.Since(start) < randomTime && failed < 20; writes++ {
		body := g.object()
		made := w.both(t, "POST", [2]string{"/classes/" + class, "/classes/" + class}, body)
		var path [2]string
		var location [2]struct{ ObjectID string }
		for i := range made {
			if err := json.Unmarshal([]byte(made[i].body), &location[i]); err != nil {
				t.Fatal(err)
			}
			path[i] = "/classes/" + class + "/" + location[i].ObjectID
		}
		if !agree(t, "create "+body, made, location[0].ObjectID, location[1].ObjectID) {
			failed++
		}
		if made[0].status != http.StatusCreated || made[1].status != http.StatusCreated {
			continue
		}
		for range 3 {
			change := g.update()
			writes++
			updated := w.both(t, "PUT", path, change)
			if updated[0].status == http.StatusInternalServerError {
				if updated[1].status == http.StatusInternalServerError {
					t.Errorf("update %s by %s: both answer 500", body, change)
				}
				break // they may hold different things from here on
			}
			stored := w.both(t, "GET", path, "")
			if !agree(t, "update "+body+" by "+change, updated) || !agree(t, "get "+body+" after "+change, stored, location[0].ObjectID, location[1].ObjectID) {
				failed++
				break
			}
		}
	}
	t.Logf("%d writes in %s", writes, time.Since(start).Round(time.Millisecond))
}

// agree compares two answers; ids are what stands for the same object in them.
func agree(t *testing.T, what string, a [2]answer, ids ...string) bool {
	t.Helper()
	var bodies [2]string
	for i := range a {
		body := a[i].body
		if len(ids) > i && ids[i] != "" {
			body = strings.ReplaceAll(body, ids[i], "<id>")
		}
		bodies[i] = withoutOrder(normalJSON(exchange{}, body))
	}
	if a[0].status == a[1].status && bodies[0] == bodies[1] {
		return true
	}
	t.Errorf("%s\n  %s", what, both(a[0], a[1]))
	return false
}

// withoutOrder sorts the array a of an object and drops what it holds twice: as COMPATIBILITY.md says, Parse Server
// shuffles an array when it adds to it.
func withoutOrder(body string) string {
	var o map[string]json.RawMessage
	var list []json.RawMessage
	if json.Unmarshal([]byte(body), &o) != nil || json.Unmarshal(o["a"], &list) != nil {
		return body
	}
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = string(e)
	}
	slices.Sort(texts)
	o["a"] = json.RawMessage("[" + strings.Join(slices.Compact(texts), ",") + "]")
	return encode(o)
}

// randomWheres asks both servers for the objects that random wheres select.
func randomWheres(t *testing.T, reference, worker *client, name string) {
	class := "RandomWheres" + name
	w := twins{reference, worker}
	w.makeClass(t, class)
	g := newGenerator(3)
	for i := range 80 {
		body := fmt.Sprintf(`{"i":%d,%s`, i, g.object()[1:])
		body = strings.Replace(body, ",}", "}", 1)
		if a := w.both(t, "POST", [2]string{"/classes/" + class, "/classes/" + class}, body); a[0].status != a[1].status {
			t.Errorf("%s\n  %s", body, both(a[0], a[1]))
		}
	}
	start, asked, answered, failed := time.Now(), 0, 0, 0
	for ; asked < 1000 && time.Since(start) < randomTime && failed < 20; asked++ {
		where := g.where()
		path := "/classes/" + class + "?limit=1000&order=i&keys=i&where=" + url.QueryEscape(where)
		a := w.both(t, "GET", [2]string{path, path}, "")
		if a[0].status == http.StatusInternalServerError && a[1].status < http.StatusInternalServerError {
			continue
		}
		answered++
		for i := range a {
			if a[i].status == http.StatusOK {
				a[i].body = selected(t, a[i].body)
			}
		}
		if !agree(t, where, a) {
			failed++
		}
	}
	t.Logf("%d wheres in %s; Parse Server answered %d without an internal error", asked, time.Since(start).Round(time.Millisecond), answered)
}

// selected tells the results by their field i.
func selected(t *testing.T, body string) string {
	t.Helper()
	var found struct{ Results []struct{ I int } }
	if err := json.Unmarshal([]byte(body), &found); err != nil {
		t.Fatal(err)
	}
	l := make([]int, len(found.Results))
	for i, r := range found.Results {
		l[i] = r.I
	}
	return fmt.Sprint(l)
}
