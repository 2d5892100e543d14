package write_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

// together runs f n times at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			f(i)
		}()
	}
	close(start)
	wg.Wait()
}

func TestCreatesOfANewClassAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	together(50, func(i int) {
		// Half of them agree on a field, and each has one of its own.
		got := a.Do("", "POST /classes/New", fmt.Sprintf(`{"n":%d,"f%d":"x","r":{"__op":"AddRelation","objects":[%s]}}`, i, i%25, pointer("Kid", "k")))
		if got.Status != 201 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	a.Play(t, []apptest.Step{
		{Do: "GET /classes/New?count=1&limit=0", Want: `{"results":[],"count":50}`},
		{Do: `GET /classes/New?count=1&limit=0&where={"r":` + pointer("Kid", "k") + `}`, Want: `{"results":[],"count":50}`},
		{Do: `GET /classes/New?count=1&limit=0&where={"f24":"x"}`, Want: `{"results":[],"count":2}`},
	})
}

func TestTypesOfANewFieldAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	var mu sync.Mutex
	created := map[string]int{}
	together(20, func(i int) {
		v := []string{`1`, `"s"`}[i%2]
		got := a.Do("", "POST /classes/New", `{"f":`+v+`}`)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case got.Status == 201:
			created[v]++
		case got.Status != 400 || !strings.HasPrefix(got.Body, `{"code":111,"error":"schema mismatch for New.f; expected `):
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	if len(created) != 1 {
		t.Errorf("objects of several types were created: %v", created)
	}
	for v, n := range created {
		if n != 10 {
			t.Errorf("%d objects with %s were created, want 10", n, v)
		}
	}
}

func TestIncrementsAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{{Do: "POST /classes/C", Body: `{"n":0}`, Want: `{"objectId":"<o>","createdAt":"<ts>"}`}})
	request := a.Fill("PUT /classes/C/<o>")
	together(10, func(int) {
		for range 20 {
			if got := a.Do("", request, `{"n":{"__op":"Increment","amount":1},"l":{"__op":"Add","objects":[1]}}`); got.Status != 200 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		}
	})
	a.Play(t, []apptest.Step{{Do: "GET /classes/C/<o>?keys=n", Want: `{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","n":200}`}})
	if got := a.Do("", a.Fill("GET /classes/C/<o>"), "").Body; strings.Count(got, "1,")+strings.Count(got, "1]") < 200 {
		t.Errorf("elements are missing: %s", got)
	}
}

func TestSignUpsWithOneNameAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	var mu sync.Mutex
	made := 0
	together(6, func(i int) {
		name := []string{"ann", "ANN", "Ann"}[i%3]
		got := a.Do("", "POST /users", `{"username":"`+name+`","password":"pw"}`)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case got.Status == 201:
			made++
		case got.Body != `{"code":202,"error":"Account already exists for this username."}`:
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	if made != 1 {
		t.Errorf("%d users were made, want 1", made)
	}
	a.Play(t, []apptest.Step{
		{Who: "master", Do: "GET /users?count=1&limit=0", Want: `{"results":[],"count":1}`},
		{Who: "master", Do: "GET /sessions?count=1&limit=0", Want: `{"results":[],"count":1}`},
	})
}

// TestUniqueValuesAtOnce: of those who take a value at the same time that is to be unique, one has it.
func TestUniqueValuesAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	const writers = 12
	for i := range writers {
		a.Play(t, []apptest.Step{{Do: "POST /users", Body: fmt.Sprintf(`{"username":"u%d","password":"pw"}`, i), Want: fmt.Sprintf(`{"objectId":"<u%d>",<any>}`, i)}})
	}
	const email = `{"code":203,"error":"Account already exists for this email address."}`
	for name, tt := range map[string]struct {
		do, body func(i int) string
		refused  string
		count    string
	}{
		"names of roles": {
			func(int) string { return "POST /roles" }, func(int) string { return `{"name":"r","ACL":{}}` },
			`{"code":137,"error":"A duplicate value for a field with unique values was provided"}`, `GET /roles?count=1&limit=0`,
		},
		"addresses of new users": {
			func(int) string { return "POST /users" },
			func(i int) string {
				return fmt.Sprintf(`{"username":"n%d","password":"pw","email":%q}`, i, []string{"a@b.c", "A@B.C"}[i%2])
			},
			email, `GET /users?count=1&limit=0&where={"email":{"$regex":"^a@b.c$","$options":"i"}}`,
		},
		"addresses of users": {
			func(i int) string { return a.Fill(fmt.Sprintf("PUT /users/<u%d>", i)) },
			func(i int) string { return fmt.Sprintf(`{"email":%q}`, []string{"d@e.f", "D@e.f"}[i%2]) },
			email, `GET /users?count=1&limit=0&where={"email":{"$regex":"^d@e.f$","$options":"i"}}`,
		},
		"names of users": {
			func(i int) string { return a.Fill(fmt.Sprintf("PUT /users/<u%d>", i)) },
			func(i int) string { return fmt.Sprintf(`{"username":%q}`, []string{"ann", "Ann"}[i%2]) },
			`{"code":202,"error":"Account already exists for this username."}`, `GET /users?count=1&limit=0&where={"username":{"$regex":"^ann$","$options":"i"}}`,
		},
	} {
		var mu sync.Mutex
		done := 0
		together(writers, func(i int) {
			got := a.Do("master", tt.do(i), tt.body(i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case got.Status < 300:
				done++
			case got.Body != tt.refused:
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		})
		if got := a.Do("master", tt.count, ""); done != 1 || got.Body != `{"results":[],"count":1}` {
			t.Errorf("%s: %d have it, and there are %s", name, done, got.Body)
		}
	}
}

func TestAnonymousSignUpsWithOneIDAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	together(10, func(int) {
		if got := a.Do("", "POST /users", `{"authData":{"anonymous":{"id":"one"}}}`); got.Status != 201 && got.Status != 200 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	a.Play(t, []apptest.Step{
		{Who: "master", Do: "GET /users?count=1&limit=0", Want: `{"results":[],"count":1}`},
		{Who: "master", Do: "GET /sessions?count=1&limit=0", Want: `{"results":[],"count":10}`},
	})
}

func pointer(class, id string) string {
	return `{"__type":"Pointer","className":"` + class + `","objectId":"` + id + `"}`
}

// TestRepeatedWrites repeats writes under their ids, as the gateway does when a worker died on it.
func TestRepeatedWrites(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{signUp("ann"), {Do: "POST /classes/C", Body: `{"n":0}`, Want: `{"objectId":"<o>","createdAt":"<ts>"}`}})
	for i, tt := range []struct{ who, request, body string }{
		{"", "POST /classes/C", `{"n":1}`},
		{"", "PUT /classes/C/<o>", `{"n":{"__op":"Increment","amount":1}}`},
		{"", "POST /users", `{"username":"bob","password":"pw"}`},
		{"", "POST /login", `{"username":"ann","password":"pw"}`},
		{"", "POST /users", `{"authData":{"anonymous":{"id":"x"}}}`},
		{"<tokann>", "POST /sessions", `{}`},
		{"<tokann>", "PUT /users/<ann>", `{"phone":"1"}`},
		{"", "DELETE /classes/C/<o>", ``},
		{"master", "POST /loginAs", `{"userId":"<ann>"}`},
		// The first of these ends the session that the second comes with.
		{"<tokann>", "PUT /users/<ann>", `{"password":"new"}`},
	} {
		id := fmt.Sprint("w", i)
		first := a.DoID(a.Fill(tt.who), a.Fill(tt.request), a.Fill(tt.body), id)
		a.Changes.Take()
		second := a.DoID(a.Fill(tt.who), a.Fill(tt.request), a.Fill(tt.body), id)
		if first.Status >= 300 || first != second {
			t.Errorf("%s:\n%+v, and again\n%+v", tt.request, first, second)
		}
		if c := a.Changes.Take(); len(c) > 0 {
			t.Errorf("%s was done twice: %+v", tt.request, c)
		}
	}
	a.Play(t, []apptest.Step{{Do: "GET /classes/C?keys=n", Want: `{"results":[{"objectId":"<p>","createdAt":"<ts>","updatedAt":"<ts>","n":1}]}`}})
	// A refused write isn't remembered: it may succeed the second time.
	if got := a.DoID("", "PUT /classes/C/"+a.Fill("<p>"), `{"n":"x"}`, "again"); got.Status != 400 {
		t.Errorf("%+v", got)
	}
	if got := a.DoID("", "PUT /classes/C/"+a.Fill("<p>"), `{"n":2}`, "again"); got.Status != 200 {
		t.Errorf("%+v", got)
	}
}
