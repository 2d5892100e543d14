package trigger_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/trigger"
)

func TestObject(t *testing.T) {
	increment := func(by float64) map[string]any { return map[string]any{"__op": "Increment", "amount": by} }
	deletion := map[string]any{"__op": "Delete"}
	for name, c := range map[string]struct {
		was      map[string]any
		sent     map[string]any // by name; what becomes of it is itself, or for {"n": increment} 7
		do       func(*trigger.Object)
		ops      map[string]any
		reverted string
	}{
		"nothing":                           {do: func(*trigger.Object) {}, ops: map[string]any{}},
		"what was sent":                     {sent: map[string]any{"a": 1.0}, do: func(*trigger.Object) {}, ops: map[string]any{"a": 1.0}},
		"set":                               {sent: map[string]any{"a": 1.0}, do: func(o *trigger.Object) { o.Set("a", 2.0); o.Set("b", "x") }, ops: map[string]any{"a": 2.0, "b": "x"}},
		"unset":                             {sent: map[string]any{"a": 1.0}, do: func(o *trigger.Object) { o.Unset("a") }, ops: map[string]any{"a": deletion}},
		"increment":                         {was: map[string]any{"n": 5.0}, do: func(o *trigger.Object) { o.Increment("n", 2) }, ops: map[string]any{"n": increment(2)}},
		"increment what is set":             {was: map[string]any{"n": 5.0}, sent: map[string]any{"n": 1.0}, do: func(o *trigger.Object) { o.Increment("n", 2) }, ops: map[string]any{"n": 3.0}},
		"increment what is incremented":     {was: map[string]any{"n": 5.0}, sent: map[string]any{"n": increment(2)}, do: func(o *trigger.Object) { o.Increment("n", 3) }, ops: map[string]any{"n": increment(5)}},
		"revert":                            {was: map[string]any{"a": 1.0}, sent: map[string]any{"a": 2.0}, do: func(o *trigger.Object) { o.Revert("a") }, ops: map[string]any{}, reverted: "a"},
		"revert what isn't changed":         {was: map[string]any{"a": 1.0}, do: func(o *trigger.Object) { o.Revert("a") }, ops: map[string]any{}},
		"revert and set":                    {was: map[string]any{"a": 1.0}, sent: map[string]any{"a": 2.0}, do: func(o *trigger.Object) { o.Revert("a"); o.Set("a", 3.0) }, ops: map[string]any{"a": 3.0}},
		"change in place":                   {was: map[string]any{"m": map[string]any{"a": 1.0}}, do: func(o *trigger.Object) { o.Get("m").(map[string]any)["a"] = 2.0 }, ops: map[string]any{"m": map[string]any{"a": 2.0}}},
		"change in place what was sent":     {sent: map[string]any{"l": []any{1.0}}, do: func(o *trigger.Object) { o.Get("l").([]any)[0] = 2.0 }, ops: map[string]any{"l": []any{2.0}}},
		"set what a place of was changed":   {was: map[string]any{"m": map[string]any{}}, sent: map[string]any{"m.a": 1.0}, do: func(o *trigger.Object) { o.Set("m", 3.0) }, ops: map[string]any{"m": 3.0}},
		"replace":                           {was: map[string]any{"a": 1.0}, sent: map[string]any{"b": 2.0}, do: func(o *trigger.Object) { o.Replace(map[string]any{"c": 3.0}) }, ops: map[string]any{"c": 3.0}},
		"replace by nothing":                {sent: map[string]any{"b": []any{}}, do: func(o *trigger.Object) { o.Replace(map[string]any{}) }, ops: map[string]any{}},
		"what was isn't changed in its map": {was: map[string]any{"m": map[string]any{"a": 1.0}}, do: func(o *trigger.Object) {}, ops: map[string]any{}},
	} {
		t.Run(name, func(t *testing.T) {
			o := trigger.NewObject("A", c.was)
			for n, v := range c.sent {
				value := v
				if m, ok := v.(map[string]any); ok && m["__op"] != nil {
					value = 7.0
				}
				o.Pending(n, v, value)
			}
			c.do(o)
			names, ops, reverted := o.Changes()
			if !reflect.DeepEqual(ops, c.ops) || len(names) != len(ops) || strings.Join(reverted, ",") != c.reverted {
				t.Errorf("%v %v, reverted %v; want %v, reverted %q", names, ops, reverted, c.ops, c.reverted)
			}
			if o.Existed() != (c.was != nil) || !o.IsNew() {
				t.Error("it isn't known whether it existed")
			}
		})
	}
}

// TestChangesBesideOperations changes in place what the request changes by operations or at places inside: neither is lost.
func TestChangesBesideOperations(t *testing.T) {
	add := map[string]any{"__op": "Add", "objects": []any{2.0}}
	for name, c := range map[string]struct {
		do   func(*trigger.Object)
		want map[string]any
	}{
		"nothing": {func(*trigger.Object) {}, map[string]any{"m.b": 2.0, "l": add}},
		"beside a place": {func(o *trigger.Object) { o.Get("m").(map[string]any)["c"] = 3.0 },
			map[string]any{"m": map[string]any{"a": 1.0, "b": 2.0, "c": 3.0}, "l": add}},
		"what an operation made": {func(o *trigger.Object) { o.Get("l").([]any)[0] = 5.0 },
			map[string]any{"m.b": 2.0, "l": []any{5.0, 2.0}}},
		"twice": {func(o *trigger.Object) {
			o.Get("m").(map[string]any)["c"] = 3.0
			o.DirtyKeys()
			o.Get("m").(map[string]any)["c"] = 4.0
		}, map[string]any{"m": map[string]any{"a": 1.0, "b": 2.0, "c": 4.0}, "l": add}},
		"undone": {func(o *trigger.Object) { o.Get("m").(map[string]any)["c"] = 3.0; o.Revert("m") }, map[string]any{"l": add}},
	} {
		t.Run(name, func(t *testing.T) {
			o := trigger.NewObject("A", map[string]any{"objectId": "x", "m": map[string]any{"a": 1.0}, "l": []any{1.0}})
			o.Pending("m.b", 2.0, map[string]any{"a": 1.0, "b": 2.0})
			o.Pending("l", add, []any{1.0, 2.0})
			c.do(o)
			if _, ops, _ := o.Changes(); !reflect.DeepEqual(ops, c.want) {
				t.Errorf("%v, want %v", ops, c.want)
			}
		})
	}
}

func TestSavedObject(t *testing.T) {
	o := trigger.NewObject("A", nil)
	o.Pending("a", 1.0, 1.0)
	o.Saved(map[string]any{"objectId": "x", "a": 1.0, "m": map[string]any{}})
	if names, _, _ := o.Changes(); o.IsNew() || o.Existed() || o.ID() != "x" || len(names) != 0 {
		t.Errorf("it is new: %v, id %s, changes %v", o.IsNew(), o.ID(), names)
	}
	if got := string(query.AppendJSON(nil, o.JSON())); got != `{"a":1,"m":{},"objectId":"x","className":"A"}` {
		t.Error(got)
	}
}

func TestQuery(t *testing.T) {
	p := query.Params{"where": {Text: `{"a":{"$gt":1}}`}, "limit": {Text: "5"}, "order": {JSON: []byte(`"-a,b"`)}, "keys": {Text: "a,,b"}, "count": {Text: "1"}, "includeAll": {Text: "true"}, "hint": {Text: "h"}}
	q, err := trigger.NewQuery(p)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(query.AppendJSON(nil, q.JSON()["where"])), `{"a":{"$gt":1}}`; got != want || q.Limit != 5 || q.Order[0] != "-a" || len(q.Keys) != 2 || !q.IncludeAll || q.Hint != "h" {
		t.Errorf("%s %+v", got, q)
	}
	q.Where["b"], q.Skip, q.Limit, q.Order = 2.0, 3, 0, nil
	out := q.Params(p)
	for name, want := range map[string]string{"where": `{"a":{"$gt":1},"b":2}`, "skip": "3", "limit": "5", "order": `"-a,b"`, "keys": `"a,b"`, "count": "1"} {
		if got := out[name].String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, where := range []string{`{`, `[]`, `5`, `"x"`} {
		if _, err := trigger.NewQuery(query.Params{"where": {Text: where}}); err == nil {
			t.Errorf("the where %s is taken", where)
		}
	}
}

// FuzzQuery reads any parameters: what comes of them can be written and read again.
func FuzzQuery(f *testing.F) {
	f.Add(`{"a":1}`, "10", "-a", "k.l")
	f.Add(`[]`, "-1", "", ",")
	f.Add(``, "1e99", "a,b", "*")
	f.Fuzz(func(t *testing.T, where, limit, order, keys string) {
		if !utf8.ValidString(strings.Join([]string{where, limit, order, keys}, " ")) {
			return // a request's text is valid
		}
		p := query.Params{"where": {Text: where}, "limit": {Text: limit}, "order": {Text: order}, "keys": {Text: keys}}
		q, err := trigger.NewQuery(p)
		if err != nil {
			return
		}
		again, err := trigger.NewQuery(q.Params(p))
		if err != nil || !reflect.DeepEqual(q.JSON(), again.JSON()) {
			t.Errorf("%v: %v, then %v", err, q.JSON(), again.JSON())
		}
	})
}
