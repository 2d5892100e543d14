package write_test

import (
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// FuzzWrite sends any body to a create and an update: it is written or refused with a reason, and what was written can
// be read.
func FuzzWrite(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"s":"x","n":1,"o":{"k":1},"l":[1],"d":{"__type":"Date","iso":"2020-01-02"},"ACL":{"*":{"read":true}}}`,
		`{"n":{"__op":"Increment","amount":1e308},"l":{"__op":"AddUnique","objects":[{}]},"r":{"__op":"Batch","ops":[{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"A","objectId":"x"}]}]}}`,
		`{"o.k.z":{"__op":"Delete"},"l.0":5,"o.":1,"":0}`, `{"x":{"__op":null},"y":{"__type":5},"z":{"__type":"Pointer","className":"A"}}`,
		`{"pg":{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1]]},"g":{"__type":"GeoPoint","latitude":1e300,"longitude":1}}`,
		`{"objectId":null,"createdAt":null,"updatedAt":{"__op":"Delete"},"ACL":{"__op":"Delete"}}`, `{"s":"\u0000","t":"\ud800"}`,
		`{"n":null,"n":2,"password":"x","authData":{"anonymous":{"id":"a"}}}`, `[]`, `{"a":`, `{"a":{"a.b":{"$c":1}}}`,
	} {
		f.Add(seed)
	}
	a := apptest.New(f, nil)
	base := a.Do("", "POST /classes/F", `{"s":"x","n":1,"o":{"k":{"z":1}},"l":[1,{"a":2}],"r":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"A","objectId":"x"}]}}`)
	id := base.Location[len("/classes/F/"):]
	f.Fuzz(func(t *testing.T, body string) {
		for _, request := range []string{"POST /classes/F", "PUT /classes/F/" + id, "POST /classes/_User", "POST /classes/_Role"} {
			a.Changes.Take()
			got := a.Do("", request, body)
			if got.Status >= 500 {
				t.Fatalf("%s %s: %d %s", request, body, got.Status, got.Body)
			}
			if _, err := query.Decode([]byte(got.Body)); err != nil {
				t.Fatalf("%s %s: answered %s: %v", request, body, got.Body, err)
			}
			if changes := a.Changes.Take(); got.Status >= 400 && len(changes) > 0 {
				t.Fatalf("%s %s: %d, and wrote %+v", request, body, got.Status, changes)
			}
		}
		if got := a.Do("master", "GET /classes/F/"+id, ""); got.Status != 200 {
			t.Fatalf("%s: the object can't be read any more: %d %s", body, got.Status, got.Body)
		} else if _, err := query.Decode([]byte(got.Body)); err != nil {
			t.Fatalf("%s: the object is no JSON any more: %s", body, got.Body)
		}
	})
}
