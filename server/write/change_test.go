package write_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// shown returns an image as a read with the master key shows the object.
func shown(im *change.Image) map[string]any {
	out := map[string]any{}
	acl := map[string]any{}
	hasACL := false
	for name, v := range im.Fields {
		switch name {
		case "createdAt", "updatedAt":
			v = string(query.AppendTime(nil, v.(query.Date).Time))
		case "_rperm", "_wperm":
			hasACL = true
			for _, who := range v.([]any) {
				rights, _ := acl[who.(string)].(map[string]any)
				if rights == nil {
					rights = map[string]any{}
					acl[who.(string)] = rights
				}
				rights[map[string]string{"_rperm": "read", "_wperm": "write"}[name]] = true
			}
			continue
		}
		if f, ok := v.(query.File); ok {
			v = query.File{Name: f.Name, URL: "http://files/" + f.Name}
		}
		out[name] = v
	}
	if hasACL {
		out["ACL"] = acl
	}
	return out
}

// read returns an object as a read with the master key shows it, without what images leave out.
func read(t *testing.T, a *apptest.App, class, id string, im *change.Image) map[string]any {
	t.Helper()
	got := a.Do("master", "GET /classes/"+class+"/"+id, "")
	v, err := query.Decode([]byte(got.Body))
	if err != nil || got.Status != 200 {
		t.Fatalf("%d %s: %v", got.Status, got.Body, err)
	}
	m := v.(map[string]any)
	for _, name := range im.Omitted {
		delete(m, name)
	}
	return m
}

// TestImagesAreWhatReadsShow does random writes and compares what is announced with what a read shows afterwards.
func TestImagesAreWhatReadsShow(t *testing.T) {
	a := apptest.New(t, nil)
	r := rand.New(rand.NewPCG(1, 2))
	var nested func(depth int) string
	nested = func(depth int) string {
		switch n := r.IntN(9); {
		case n == 0:
			return `null`
		case n == 1:
			return `{"__type":"Date","iso":"2024-02-03T04:05:06.789Z"}`
		case n == 2:
			return pointer("Q", "q")
		case n == 3 && depth < 3:
			return `[` + nested(depth+1) + `,` + nested(depth+1) + `]`
		case n == 4 && depth < 3:
			return `{"b":` + nested(depth+1) + `,"aa":` + nested(depth+1) + `}`
		case n == 5:
			return `"<tag> \u00e9 \ud83d\ude00 \"\\"`
		case n == 6:
			return `1e21`
		}
		return fmt.Sprintf("%d.5", r.IntN(1000))
	}
	list := func() string { return `[` + nested(1) + `,` + nested(1) + `,1]` }
	values := map[string]func() string{
		"s": func() string { return fmt.Sprintf(`"v%d\u2028"`, r.IntN(9)) },
		"n": func() string { return fmt.Sprint(r.Float64() * 100) },
		"b": func() string { return fmt.Sprint(r.IntN(2) == 0) },
		"d": func() string { return fmt.Sprintf(`{"__type":"Date","iso":"2020-01-0%d"}`, 1+r.IntN(9)) },
		"o": func() string { return `{"k":` + nested(0) + `,"n":1}` },
		"l": list,
		"p": func() string { return pointer("P", fmt.Sprint("x", r.IntN(9))) },
		"g": func() string { return fmt.Sprintf(`{"__type":"GeoPoint","latitude":%d.25,"longitude":-7}`, r.IntN(90)) },
		"pg": func() string {
			return fmt.Sprintf(`{"__type":"Polygon","coordinates":[[0,0],[0,%d],[1,1]]}`, 1+r.IntN(5))
		},
		"by": func() string { return `{"__type":"Bytes","base64":"aGk="}` },
		"f":  func() string { return `{"__type":"File","name":"a.txt","url":"http://evil/a.txt"}` },
		"ACL": func() string {
			return []string{`{"*":{"read":true}}`, `{}`, `{"u":{"write":true},"role:A":{"read":true,"write":true}}`}[r.IntN(3)]
		},
	}
	operations := map[string]func() string{
		"n": func() string { return fmt.Sprintf(`{"__op":"Increment","amount":%d}`, r.IntN(9)-4) },
		"l": func() string {
			return fmt.Sprintf(`{"__op":%q,"objects":%s}`, []string{"Add", "AddUnique", "Remove"}[r.IntN(3)], list())
		},
		"o.n": func() string { return `{"__op":"Increment","amount":0.1}` },
		"o.k": func() string { return nested(0) },
		"rel": func() string {
			return fmt.Sprintf(`{"__op":%q,"objects":[%s]}`, []string{"AddRelation", "RemoveRelation"}[r.IntN(2)], pointer("Q", fmt.Sprint(r.IntN(3))))
		},
	}
	body := func(isUpdate bool) string {
		var members []string
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if r.IntN(3) > 0 {
				continue
			}
			v := values[name]()
			if op := operations[name]; op != nil && r.IntN(2) == 0 {
				v = op()
			} else if isUpdate && name != "ACL" && r.IntN(5) == 0 {
				v = []string{`null`, `{"__op":"Delete"}`}[r.IntN(2)]
			}
			members = append(members, fmt.Sprintf(`%q:%s`, name, v))
		}
		for _, name := range []string{"o.n", "o.k", "rel"} {
			if r.IntN(4) == 0 && !slices.ContainsFunc(members, func(m string) bool { return strings.HasPrefix(m, `"o":`) }) {
				members = append(members, fmt.Sprintf(`%q:%s`, name, operations[name]()))
			}
		}
		return `{` + strings.Join(members, ",") + `}`
	}
	ids, last := []string{}, map[string]*change.Image{}
	for i := range 400 {
		request, what := "POST /classes/P", body(false)
		update := len(ids) > 0 && r.IntN(4) > 0
		if update {
			request, what = "PUT /classes/P/"+ids[r.IntN(len(ids))], body(true)
		}
		got := a.Do("master", request, what)
		if got.Status >= 300 {
			t.Fatalf("%s %s: %d %s", request, what, got.Status, got.Body)
		}
		var c *change.Change
		for _, one := range a.Changes.Take() {
			if one.Class == "P" && one.Kind != change.Schema {
				if c != nil {
					t.Fatalf("%s %s: more than one change: %+v", request, what, one)
				}
				c = &one
			}
		}
		if c == nil || c.After == nil || c.App != "app" || (c.Kind == change.Update) != update {
			t.Fatalf("%s %s: announced %+v", request, what, c)
		}
		if want := read(t, a, "P", c.ObjectID, c.After); !query.Equal(shown(c.After), want) {
			t.Fatalf("write %d: %s %s: announced\n%s\nread\n%s", i, request, what, query.AppendJSON(nil, shown(c.After)), query.AppendJSON(nil, want))
		}
		if !update {
			ids = append(ids, c.ObjectID)
			if c.Before != nil {
				t.Fatalf("a new object was something before: %+v", c.Before)
			}
		} else if was := last[c.ObjectID]; !query.Equal(shown(c.Before), shown(was)) {
			t.Fatalf("write %d: %s %s: was\n%s\nannounced as\n%s", i, request, what, query.AppendJSON(nil, shown(was)), query.AppendJSON(nil, shown(c.Before)))
		} else {
			for name := range c.After.Fields {
				if !query.Equal(c.Before.Fields[name], c.After.Fields[name]) && !slices.Contains(c.Touched, name) {
					t.Fatalf("write %d: %s %s: %s changed and isn't touched: %v", i, request, what, name, c.Touched)
				}
			}
		}
		last[c.ObjectID] = c.After
	}
}

func TestWhatIsAnnounced(t *testing.T) {
	a := apptest.New(t, nil)
	take := func() []string {
		var out []string
		for _, c := range a.Changes.Take() {
			what := fmt.Sprint([]string{"", "create", "update", "delete", "schema", "purge"}[c.Kind], " ", c.Class)
			if im := cmpImage(c); strings.HasPrefix(c.Class, "_Join:") {
				what += fmt.Sprint(" ", im.Fields["owningId"], "-", im.Fields["relatedId"])
			}
			out = append(out, what)
		}
		return out
	}
	do := func(s apptest.Step, want ...string) {
		t.Helper()
		a.Play(t, []apptest.Step{s})
		for i := range want {
			want[i] = a.Fill(want[i])
		}
		if got := take(); !slices.Equal(got, want) {
			t.Errorf("%s %s\n got %q\nwant %q", s.Do, s.Body, got, want)
		}
	}
	take()
	do(apptest.Step{Do: "POST /classes/A", Body: `{"n":1}`, Want: `{"objectId":"<a>","createdAt":"<ts>"}`}, "schema A", "create A")
	do(apptest.Step{Do: "POST /classes/A", Body: `{"n":2}`, Want: `{"objectId":"<b>","createdAt":"<ts>"}`}, "create A")
	do(apptest.Step{Do: "PUT /classes/A/<a>", Body: `{"m":2}`, Want: `{"updatedAt":"<ts>"}`}, "schema A", "update A")
	do(apptest.Step{Do: "PUT /classes/A/<a>", Body: `{"n":{"__op":"Delete"}}`, Want: `{"updatedAt":"<ts>"}`}, "update A")
	do(apptest.Step{Do: "PUT /classes/A/<a>", Body: `{"r":{"__op":"AddRelation","objects":[` + pointer("A", "<a>") + `,` + pointer("A", "<b>") + `]}}`, Want: `{"updatedAt":"<ts>"}`},
		"schema A", "update A", "create _Join:r:A <a>-<a>", "create _Join:r:A <a>-<b>")
	do(apptest.Step{Do: "PUT /classes/A/<a>", Body: `{"r":{"__op":"AddRelation","objects":[` + pointer("A", "<a>") + `]}}`, Want: `{"updatedAt":"<ts>"}`}, "update A")
	do(apptest.Step{Do: "PUT /classes/A/<a>", Body: `{"r":{"__op":"RemoveRelation","objects":[` + pointer("A", "<b>") + `,` + pointer("A", "no") + `]}}`, Want: `{"updatedAt":"<ts>"}`},
		"update A", "delete _Join:r:A <a>-<b>")
	do(apptest.Step{Do: "DELETE /classes/A/<a>", Want: `{}`}, "delete A")
	do(apptest.Step{Do: "DELETE /classes/A/<a>", Status: 404, Want: `{"code":101,"error":"Object not found."}`})
	do(apptest.Step{Do: "PUT /classes/A/<b>", Body: `{"fresh":1,"n":"no"}`, Status: 400, Want: `<any>`})
	do(apptest.Step{Do: "POST /users", Body: `{"username":"ann","password":"pw"}`, Want: `<any>"sessionToken":"<tok1>"}`}, "create _User", "schema _Session", "create _Session")
	do(apptest.Step{Do: "POST /users", Body: `{"username":"ann","password":"pw"}`, Status: 400, Want: `<any>`})
	do(apptest.Step{Who: "installation=i", Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Want: `{"objectId":"<ann>",<any>"sessionToken":"<tok2>"}`}, "create _Session")
	do(apptest.Step{Who: "installation=i", Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Want: `<any>"sessionToken":"<tok3>"}`}, "delete _Session", "create _Session")
	do(apptest.Step{Who: "<tok3>", Do: "PUT /users/<ann>", Body: `{"password":"new"}`, Want: `<any>"sessionToken":"<tok4>"}`},
		"update _User", "delete _Session", "delete _Session", "create _Session")
	do(apptest.Step{Who: "<tok4>", Do: "POST /logout", Body: `{}`, Want: `{}`}, "delete _Session")
	do(apptest.Step{Do: "POST /login", Body: `{"username":"ann","password":"new"}`, Want: `<any>"sessionToken":"<tok5>"}`}, "create _Session")
	do(apptest.Step{Who: "<tok5>", Do: "DELETE /users/<ann>", Want: `{}`}, "delete _User", "delete _Session")
	do(apptest.Step{Do: "GET /classes/A", Want: `<any>`})
}

func cmpImage(c change.Change) *change.Image {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// TestChangesTellNoSecrets looks for secrets in everything that accounts announce.
func TestChangesTellNoSecrets(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"username":"ann","password":"very secret","authData":{"anonymous":{"id":"also-secret"}}}`, Want: `{"objectId":"<ann>",<any>"sessionToken":"<tok1>",<any>`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"phone":"1"}`, Want: `<any>`},
		{Who: "<tok1>", Do: "POST /sessions", Body: `{}`, Want: `{"sessionToken":"<tok2>",<any>`},
		{Who: "maintenance", Do: "PUT /users/<ann>", Body: `{"_perishable_token":"reset-secret"}`, Want: `<any>`},
		{Who: "<tok1>", Do: "PUT /users/<ann>", Body: `{"password":"as secret"}`, Want: `<any>`},
		{Who: "master", Do: "DELETE /users/<ann>", Want: `{}`},
	})
	changes := a.Changes.Take()
	if len(changes) < 8 {
		t.Fatalf("only %d changes", len(changes))
	}
	for _, c := range changes {
		for _, im := range []*change.Image{c.Before, c.After} {
			if im == nil {
				continue
			}
			text := string(query.AppendJSON(nil, im.Fields))
			for _, secret := range []string{"secret", "$2a$", "$2b$", `"r:`} {
				if strings.Contains(text, secret) {
					t.Errorf("%s tells %q: %s", c.Class, secret, text)
				}
			}
			if c.Class == "_User" && !slices.Contains(im.Omitted, "_hashed_password") {
				t.Errorf("a user without a password hash: %v", im.Omitted)
			}
			if c.Class == "_Session" && !slices.Contains(im.Omitted, "sessionToken") {
				t.Errorf("a session without a token: %v", im.Omitted)
			}
		}
	}
}
