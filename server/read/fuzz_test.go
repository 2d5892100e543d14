package read_test

import (
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// FuzzFind asks any question as somebody who may see one of two objects: the answer is that one, nothing, or an error of
// the client's.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"s":"open"}`, `{"$or":[{"s":{"$regex":"^h"}},{"n":{"$in":[1,null,"x"]}}]}`, `{"_rperm":{"$exists":true}}`, `{"$nor":[{"secret":1}]}`,
		`{"p":{"$inQuery":{"className":"F","where":{"s":"hidden"}}}}`, `{"s":{"$select":{"query":{"className":"F","where":{}},"key":"s"}}}`,
		`{"$relatedTo":{"object":{"__type":"Pointer","className":"F","objectId":"x"},"key":"r"}}`, `{"o.k.z":{"$gte":1},"l":{"$all":[1]}}`,
		`{"objectId":{"$ne":null}}`, `{"ACL":1}`, `{"l":{"$containedBy":[1,2]},"n":{"$exists":false}}`, `{"s":{"$foo":1}}`, `{"a b":1}`,
	} {
		f.Add(seed, "s,-n", "p,l.x")
	}
	a := apptest.New(f, nil)
	for _, body := range []string{
		`{"s":"open","n":1,"l":[1,2],"o":{"k":{"z":1}},"p":{"__type":"Pointer","className":"F","objectId":"x"},"r":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"F","objectId":"x"}]}}`,
		`{"s":"hidden-treasure","n":2,"l":[3],"ACL":{}}`,
	} {
		if got := a.Do("", "POST /classes/F", body); got.Status != 201 {
			f.Fatal(got)
		}
	}
	f.Fuzz(func(t *testing.T, where, order, include string) {
		q, err := query.ParseParams("F", query.Params{"where": {JSON: []byte(where)}, "order": {Text: order}, "include": {Text: include}, "count": {Text: "1"}}, query.Limits{})
		if err != nil {
			return
		}
		res, err := a.Reads.Find(t.Context(), apptest.Caller(""), q)
		got := apptest.Read(res, err)
		switch {
		case got.Status >= 500:
			t.Fatalf("%s: %d %s", where, got.Status, got.Body)
		case got.Status == 200 && strings.Contains(got.Body, "hidden-treasure"):
			t.Fatalf("%s: shows what is hidden: %s", where, got.Body)
		case got.Status == 200 && !strings.HasSuffix(got.Body, `"count":0}`) && !strings.HasSuffix(got.Body, `"count":1}`):
			t.Fatalf("%s: counts what is hidden: %s", where, got.Body)
		}
		if _, err := query.Decode([]byte(got.Body)); err != nil {
			t.Fatalf("%s: answered %s: %v", where, got.Body, err)
		}
	})
}
