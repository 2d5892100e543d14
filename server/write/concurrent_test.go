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
