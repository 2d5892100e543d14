package request

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestRelationsInBodies(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"add", `{"tags":{"__op":"AddRelation","objects":[]}}`, []string{"Game", "_Join:tags:Game"}},
		{"remove", `{"tags":{"__op":"RemoveRelation","objects":[]},"n":1}`, []string{"Game", "_Join:tags:Game"}},
		{"batch", `{"tags":{"__op":"Batch","ops":[{"__op":"AddRelation"},{"__op":"RemoveRelation"}]}}`, []string{"Game", "_Join:tags:Game"}},
		{"two", `{"a":{"__op":"AddRelation"},"b":{"__op":"AddRelation"}}`, []string{"Game", "_Join:a:Game", "_Join:b:Game"}},
		{"repeated", `{"a":{"__op":"AddRelation"},"a":{"__op":"AddRelation"}}`, []string{"Game", "_Join:a:Game"}},
		{"escaped operation", `{"a":{"__op":"Add\u0052elation"}}`, []string{"Game", "_Join:a:Game"}},
		{"escaped field", `{"\u0061":{"__op":"AddRelation"}}`, []string{"Game", "_Join:a:Game"}},
		{"other operations", `{"a":{"__op":"Increment","amount":1},"s":"AddRelation"}`, []string{"Game"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, target := range []string{"POST /classes/Game", "PUT /classes/Game/abc"} {
				r := Classify(ask(target, test.body, app))
				if !reflect.DeepEqual(r.Classes, test.want) {
					t.Errorf("%s: %v, want %v", target, r.Classes, test.want)
				}
			}
		})
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `,"r%d":{"__op":"AddRelation"}`, i)
	}
	if r := Classify(ask("POST /classes/Game", "{"+many.String()[1:]+"}", app)); r.Classes != nil {
		t.Errorf("100 relations: %d classes, want any", len(r.Classes))
	}
}

func TestBatch(t *testing.T) {
	for _, test := range []struct {
		name, body string
		cost       int
		write      bool
		classes    []string
	}{
		{"union", `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{"x":1}},{"method":"PUT","path":"/parse/classes/B/1","body":{}},
			{"method":"DELETE","path":"/parse/classes/A/2"}]}`, 3, true, []string{"A", "B"}},
		{"relations", `{"requests":[{"method":"PUT","path":"/parse/classes/A/1","body":{"r":{"__op":"AddRelation"}}}]}`, 1, true, []string{"A", "_Join:r:A"}},
		{"a user", `{"requests":[{"method":"PUT","path":"/parse/users/1","body":{}}]}`, 1, true, []string{"_User", "_Session"}},
		{"reads and writes", `{"requests":[{"method":"GET","path":"/parse/classes/A"},{"method":"POST","path":"/parse/classes/B"}]}`, 2, true, []string{"B"}},
		{"reads alone", `{"requests":[{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/B/1"}]}`, 2, false, nil},
		{"nothing", `{"requests":[]}`, 1, false, nil},
		{"the last of repeated names", `{"requests":[{"method":"GET","path":"/parse/classes/A","method":"POST"}],"x":1}`, 1, true, []string{"A"}},
		{"repeated requests", `{"requests":[{"method":"GET","path":"/parse/classes/A"}],"requests":[{"method":"POST","path":"/parse/classes/A"},{"method":"POST","path":"/parse/classes/B"}]}`,
			2, true, []string{"A", "B"}},
		{"function", `{"requests":[{"method":"POST","path":"/parse/classes/A"},{"method":"POST","path":"/parse/functions/f"}]}`, 2, true, nil},
		{"nested", `{"requests":[{"method":"POST","path":"/parse/batch","body":{}}]}`, 1, true, nil},
		{"log-in by GET", `{"requests":[{"method":"GET","path":"/parse/login"}]}`, 1, true, []string{"_User", "_Session"}},
		{"other mount", `{"requests":[{"method":"GET","path":"/1/classes/A"}]}`, 1, true, nil},
		{"lower case method", `{"requests":[{"method":"get","path":"/parse/classes/A"}]}`, 1, true, nil},
		{"no method", `{"requests":[{"path":"/parse/classes/A"}]}`, 1, true, nil},
		{"path with dots", `{"requests":[{"method":"GET","path":"/parse/classes/A/../../functions/f"}]}`, 1, true, nil},
		{"path with dots far behind", `{"requests":[{"method":"POST","path":"/parse/apps/a/b/c/d/../../../../../classes/A","body":{}}]}`, 1, true, nil},
		{"path with one dot far behind", `{"requests":[{"method":"POST","path":"/parse/apps/a/b/c/d/.","body":{}}]}`, 1, true, nil},
		{"path with a query string", `{"requests":[{"method":"GET","path":"/parse/classes/A?x"}]}`, 1, true, nil},
		{"path that isn't a string", `{"requests":[{"method":"GET","path":1}]}`, 1, true, nil},
		{"entry that isn't an object", `{"requests":[1,{"method":"POST","path":"/parse/classes/A"}]}`, 2, true, nil},
		{"body that isn't an object", `{"requests":[{"method":"POST","path":"/parse/classes/A","body":[1]}]}`, 1, true, nil},
		{"requests that aren't an array", `{"requests":{"a":1}}`, 1, true, nil},
		{"no requests", `{}`, 1, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Classify(ask("POST /batch", test.body, app))
			if r.Op != Batch || r.Cost != test.cost || r.Write != test.write || !reflect.DeepEqual(r.Classes, test.classes) {
				t.Errorf("got %v, cost %d, write %v of %#v; want cost %d, write %v of %#v", r.Op, r.Cost, r.Write, r.Classes, test.cost, test.write, test.classes)
			}
			if r.Cacheable || r.Why == "" {
				t.Errorf("cacheable %v, why %q", r.Cacheable, r.Why)
			}
		})
	}
	t.Run("repeated requests behind many members", func(t *testing.T) {
		var b strings.Builder
		b.WriteString(`{"requests":[{"method":"GET","path":"/parse/classes/A"}]`)
		for i := range 50 {
			fmt.Fprintf(&b, `,"x%d":1`, i)
		}
		b.WriteString(`,"requests":[{"method":"POST","path":"/parse/classes/B"}]}`)
		if r := Classify(ask("POST /batch", b.String(), app)); !r.Write || !reflect.DeepEqual(r.Classes, []string{"B"}) {
			t.Errorf("write %v of %v", r.Write, r.Classes)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		in := ask("POST /batch", `{"requests":[{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/B"},{"method":"G`, app)
		in.BodyComplete = false
		if r := Classify(in); r.Op != Batch || r.Cost != 3 || !r.Write || r.Classes != nil {
			t.Errorf("%v, cost %d, write %v of %v", r.Op, r.Cost, r.Write, r.Classes)
		}
	})
	t.Run("with another method", func(t *testing.T) {
		if r := Classify(ask("POST /batch", `{"_method":"PUT","requests":[]}`, app)); r.Op != Other || !r.Write {
			t.Errorf("%+v", r)
		}
	})
	t.Run("many classes", func(t *testing.T) {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, `,{"method":"POST","path":"/parse/classes/C%d"}`, i)
		}
		if r := Classify(ask("POST /batch", `{"requests":[`+b.String()[1:]+`]}`, app)); r.Classes != nil || r.Cost != 100 {
			t.Errorf("cost %d, classes %v", r.Cost, r.Classes)
		}
	})
}

// TestOnce: what may run an app's own code is never sent twice.
func TestOnce(t *testing.T) {
	for _, test := range []struct {
		target, body string
		want         bool
	}{
		{"POST /functions/pay", `{}`, true},
		{"POST /jobs/clean", `{}`, true},
		{"POST /jobs", `{"jobName":"clean"}`, true},
		{"POST /push", `{}`, true},
		{"POST /classes/Game", `{}`, false},
		{"PUT /classes/Game/abc", `{}`, false},
		{"POST /login", `{}`, false},
		{"GET /classes/Game", "", false},
		{"POST /batch", `{"requests":[{"method":"POST","path":"/parse/classes/Game","body":{}}]}`, false},
		{"POST /batch", `{"requests":[{"method":"POST","path":"/parse/classes/Game","body":{}},{"method":"POST","path":"/parse/functions/pay","body":{}}]}`, true},
		{"POST /batch", `{"requests":[{"method":"POST","path":"/parse/functions/pay"},{"method":"POST","path":"/parse/x?y"}]}`, true},
		{"POST /batch", `{"requests":[{"method":"POST","path":"/parse/x?y"},{"method":"POST","path":"/parse/functions/pay"}]}`, true},
		{"POST /batch", `{"requests":[{"method":"POST","path":"/parse//functions/pay"}]}`, true}, // a path that the worker brings into order
		{"POST /batch", `no JSON`, true},
	} {
		t.Run(test.target+" "+test.body, func(t *testing.T) {
			if r := Classify(ask(test.target, test.body)); r.Once != test.want {
				t.Errorf("once is %v", r.Once)
			}
		})
	}
}
