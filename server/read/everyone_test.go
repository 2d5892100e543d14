package read_test

import (
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

// TestEveryone checks which answers say that they are everyone's: that must never be said of one that somebody else
// would get in another way.
func TestEveryone(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Read.Shared = true })
	forget := func() { // that private objects were met
		for range 40 {
			if strings.Contains(a.Do("", `GET /classes/Mixed?where={"n":1}`, "").Reads, "for=everyone") {
				return
			}
		}
		t.Fatal("private objects are remembered for ever")
	}
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"username":"ann","password":"p"}`, Want: `{"objectId":"<ann>","createdAt":"<ts>","sessionToken":"<tokann>"}`},
		{Do: "POST /classes/Open", Body: `{"n":1}`, Want: `{"objectId":"<o1>","createdAt":"<ts>"}`},
		{Do: "POST /classes/Open", Body: `{"n":2,"ACL":{"x":{"write":true},"*":{"read":true}}}`, Want: `{"objectId":"<o2>","createdAt":"<ts>"}`},
		{Do: "POST /classes/Mixed", Body: `{"n":1}`, Want: `{"objectId":"<m1>","createdAt":"<ts>"}`},
		{Do: "POST /classes/Mixed", Body: `{"n":2,"ACL":{"<ann>":{"read":true}}}`, Want: `{"objectId":"<m2>","createdAt":"<ts>"}`},
		{Do: "POST /classes/Mixed", Body: `{"n":3,"ACL":{}}`, Want: `{"objectId":"<m3>","createdAt":"<ts>"}`},
		{Do: "POST /classes/To", Body: `{"n":1,"open":` + pointer("Open", "<o1>") + `,"gone":` + pointer("Open", "gone") + `,"mixed":` + pointer("Mixed", "<m1>") + `,"private":` + pointer("Mixed", "<m2>") + `,"who":` + pointer("_User", "<ann>") + `}`, Want: `{"objectId":"<to>","createdAt":"<ts>"}`},
	})
	for _, tt := range []struct {
		request  string
		everyone bool
	}{
		{"GET /classes/Open", true},
		{"GET /classes/Open?limit=1&order=-n", true},
		{"GET /classes/Open?limit=1&skip=1", true},
		{"GET /classes/Open?skip=1000", true},
		{"GET /classes/Open?skip=1001", false}, // too many to look at
		{"GET /classes/Mixed?limit=1&skip=0&order=n", true},
		{"GET /classes/Mixed?limit=1&skip=1&order=n", false},
		{"GET /classes/Mixed?limit=1&skip=2&order=-n", false}, // those that are skipped are private
		{"GET /classes/Open?limit=0", true},
		{"GET /classes/Open?limit=0&count=1", true},
		{"GET /classes/Open/<o1>?keys=n", true},
		{"GET /classes/Nowhere", true},
		{"GET /classes/Mixed", false},
		{"GET /classes/Mixed?limit=1&order=n", true}, // the private ones come later
		{"GET /classes/Mixed?limit=1&order=-n", false},
		{"GET /classes/Mixed?limit=1&order=n&count=1", false},
		{`GET /classes/Mixed?where={"n":1}`, true},
		{`GET /classes/Mixed?where={"n":2}`, false},
		{`GET /classes/Mixed?where={"n":3}`, false}, // nobody at all
		{"GET /classes/Mixed/<m1>", true},
		{"GET /classes/To?include=open,gone,mixed", true},
		{"GET /classes/To?include=private", false},
		{"GET /classes/To?include=who", false},
		{"GET /classes/To?include=*", false},
		{`GET /classes/To?where={"open":{"$inQuery":{"className":"Open","where":{}}}}`, false},
		{`GET /classes/To?where={"n":{"$select":{"query":{"className":"Open","where":{}},"key":"n"}}}`, false},
		{"GET /users/<ann>?keys=username", false},
	} {
		for _, who := range []string{"", "<tokann>"} {
			forget()
			got := a.Do(a.Fill(who), a.Fill(tt.request), "")
			if got.Status != 200 && got.Status != 404 {
				t.Errorf("%s: %d %s", tt.request, got.Status, got.Body)
			}
			if said := strings.Contains(got.Reads, "for=everyone"); said != tt.everyone {
				t.Errorf("%q, %s: said to be everyone's: %v, want %v", who, tt.request, said, tt.everyone)
			}
		}
	}
	if got := a.Do("master", "GET /classes/Open", "").Reads; strings.Contains(got, "everyone") {
		t.Errorf("with the master key: %s", got)
	}
	// The more often in a row private objects were met, the longer a class isn't looked at as a whole.
	forget()
	for _, want := range []int{1, 2, 4, 8, 16, 32, 32} {
		a.Do("", "GET /classes/Mixed", "")
		for range want {
			if got := a.Do("", "GET /classes/Mixed?limit=0&count=1", "").Reads; strings.Contains(got, "everyone") {
				t.Fatal("a count with private objects is said to be everyone's")
			}
		}
	}
	got := 0
	for !strings.Contains(a.Do("", `GET /classes/Mixed?where={"n":1}`, "").Reads, "for=everyone") {
		if got++; got > 40 {
			break
		}
	}
	if got > 32 { // a read that PostgreSQL made begin anew has looked once more
		t.Errorf("the class isn't looked at as a whole again")
	}
}
