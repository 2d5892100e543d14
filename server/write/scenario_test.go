package write_test

import (
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

func TestTypes(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{
		{
			Do:   "POST /classes/T",
			Body: `{"s":"x","n":1.5,"b":true,"o":{"k":{"z":1}},"arr":[1,"a",{"q":2}],"d":{"__type":"Date","iso":"2020-01-02T03:04:05.678Z"},"g":{"__type":"GeoPoint","latitude":10,"longitude":20},"by":{"__type":"Bytes","base64":"aGk="},"f":{"__type":"File","name":"z.txt","url":"http://evil/z.txt"},"nul":null}`,
			Want: `{"objectId":"<id2>","createdAt":"<ts>"}`,
		},
		{
			Do:   "GET /classes/T/<id2>",
			Want: `{"objectId":"<id2>","createdAt":"<ts>","updatedAt":"<ts>","s":"x","n":1.5,"b":true,"o":{"k":{"z":1}},"arr":[1,"a",{"q":2}],"d":{"__type":"Date","iso":"2020-01-02T03:04:05.678Z"},"g":{"__type":"GeoPoint","latitude":10,"longitude":20},"by":{"__type":"Bytes","base64":"aGk="},"f":{"__type":"File","name":"z.txt","url":"http://files/z.txt"}}`,
		},
		{
			Do:   "POST /classes/T",
			Body: `{"p":{"__type":"Pointer","className":"T","objectId":"<id2>"},"poly":{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1]]},"rel":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"T","objectId":"<id2>"}]}}`,
			Want: `{"objectId":"<id3>","createdAt":"<ts>"}`,
		},
		{
			Do:   `GET /classes/T?where={"p":{"__type":"Pointer","className":"T","objectId":"<id2>"}}`,
			Want: `{"results":[{"objectId":"<id3>","createdAt":"<ts>","updatedAt":"<ts>","p":{"objectId":"<id2>","__type":"Pointer","className":"T"},"poly":{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1],[0,0]]},"rel":{"__type":"Relation","className":"T"}}]}`,
		},
		{
			Do:   `GET /classes/T?keys=s&where={"$relatedTo":{"object":{"__type":"Pointer","className":"T","objectId":"<id3>"},"key":"rel"}}`,
			Want: `{"results":[{"objectId":"<id2>","createdAt":"<ts>","updatedAt":"<ts>","s":"x","rel":{"__type":"Relation","className":"T"}}]}`,
		},
		{
			Do:   "POST /classes/T",
			Body: `{"cnt":{"__op":"Increment","amount":2},"ad":{"__op":"Add","objects":[1,1]},"rm":{"__op":"Remove","objects":[1]},"dl":{"__op":"Delete"}}`,
			Want: `{"cnt":2,"ad":[1,1],"rm":[],"objectId":"<id4>","createdAt":"<ts>"}`,
		},
		{Do: "GET /classes/T/<id4>", Want: `{"objectId":"<id4>","createdAt":"<ts>","updatedAt":"<ts>","cnt":2,"ad":[1,1],"rm":[],"rel":{"__type":"Relation","className":"T"}}`},
		{Do: "POST /classes/T", Body: `{"p":{"__type":"Pointer","className":"T"},"q":1}`, Want: `{"objectId":"<id5>","createdAt":"<ts>"}`},
		{Do: "GET /classes/T/<id5>?keys=p,q", Want: `{"objectId":"<id5>","createdAt":"<ts>","updatedAt":"<ts>","q":1,"rel":{"__type":"Relation","className":"T"}}`},
	})
}

func TestRefusedBodies(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{{
		Do: "POST /classes/T", Want: `{"objectId":"<id>","createdAt":"<ts>"}`,
		Body: `{"s":"x","n":1,"o":{},"arr":[1],"p":{"__type":"Pointer","className":"T","objectId":"x"},"rel":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"T","objectId":"x"}]},"by":{"__type":"Bytes","base64":"aa"}}`,
	}})
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"number field, string", `{"n":"str"}`, 400, `{"code":111,"error":"schema mismatch for T.n; expected Number but got String"}`},
		{"string field, number", `{"s":5}`, 400, `{"code":111,"error":"schema mismatch for T.s; expected String but got Number"}`},
		{"pointer to another class", `{"p":{"__type":"Pointer","className":"U","objectId":"x"}}`, 400, `{"code":111,"error":"schema mismatch for T.p; expected Pointer<T> but got Pointer<U>"}`},
		{"a name that starts with a digit", `{"1a":1}`, 400, `{"code":105,"error":"Invalid field name: 1a."}`},
		{"an empty name", `{"":1}`, 400, `{"code":105,"error":"Invalid field name: ."}`},
		{"a name that starts with a dot", `{".o":1}`, 400, `{"code":105,"error":"Invalid field name: .o."}`},
		{"length", `{"length":1}`, 400, `{"code":105,"error":"Invalid field name: length."}`},
		{"className", `{"className":"x"}`, 400, `{"code":105,"error":"Invalid field name: className."}`},
		{"an internal field", `{"_x":1}`, 400, `{"code":105,"error":"Invalid field name: _x."}`},
		{"_rperm", `{"_rperm":["*"]}`, 400, `{"code":105,"error":"Invalid field name: _rperm."}`},
		{"a name that is too long", `{"` + long(64) + `":1}`, 400, `{"code":105,"error":"Invalid field name: ` + long(64) + `."}`},
		{"a quote in a name", `{"a\"b":1}`, 400, `{"code":105,"error":"Invalid field name: a\"b."}`},
		{"a dot inside", `{"o":{"a.b":1}}`, 400, `{"code":121,"error":"Nested keys should not contain the '$' or '.' characters"}`},
		{"an operator inside", `{"o":{"$a":1}}`, 400, `{"code":121,"error":"Nested keys should not contain the '$' or '.' characters"}`},
		{"a denied key", `{"o":{"constructor":1}}`, 400, `{"code":105,"error":"Prohibited keyword in request data: {\"key\":\"constructor\"}."}`},
		{"a denied key deep down", `{"x":{"a":[1,{"b":{"__proto__":1}}]},"y":1}`, 400, `{"code":105,"error":"Prohibited keyword in request data: {\"key\":\"__proto__\"}."}`},
		{"a denied key with its value", `{"o":{"_bsontype":"Code","code":"x"}}`, 400, `{"code":105,"error":"Prohibited keyword in request data: {\"key\":\"_bsontype\",\"value\":\"Code\"}."}`},
		{"a type nobody knows", `{"x":{"__type":"Foo"}}`, 400, `{"code":111,"error":"This is not a valid Foo"}`},
		{"a date that is none", `{"x":{"__type":"Date","iso":"garbage"}}`, 400, `{"code":111,"error":"This is not a valid Date"}`},
		{"a point that is none", `{"x":{"__type":"GeoPoint","latitude":"a","longitude":1}}`, 400, `{"code":111,"error":"This is not a valid GeoPoint"}`},
		{"a file without a name", `{"x":{"__type":"File"}}`, 400, `{"code":111,"error":"This is not a valid File"}`},
		{"bytes without any", `{"x":{"__type":"Bytes","base64":""}}`, 400, `{"code":111,"error":"This is not a valid Bytes"}`},
		{"a pointer without a class", `{"x":{"__type":"Pointer"}}`, 400, `{"code":111,"error":"This is not a valid Pointer"}`},
		{"a polygon of two", `{"x":{"__type":"Polygon","coordinates":[[0,0],[1,1]]}}`, 400, `{"code":107,"error":"Polygon must have at least 3 values"}`},
		{"a polygon of two different", `{"x":{"__type":"Polygon","coordinates":[[0,0],[0,0],[1,1]]}}`, 400, `{"code":107,"error":"GeoJSON: Loop must have at least 3 different vertices"}`},
		{"two points", `{"x":{"__type":"GeoPoint","latitude":1,"longitude":1},"y":{"__type":"GeoPoint","latitude":1,"longitude":1}}`, 400, `{"code":111,"error":"there can only be one geopoint field in a class"}`},
		{"an operation nobody knows", `{"x":{"__op":"Foo"}}`, 400, `{"code":108,"error":"The Foo operator is not supported yet."}`},
		{"an operation that isn't text", `{"x":{"__op":5}}`, 400, `{"code":108,"error":"The 5 operator is not supported yet."}`},
		{"SetOnInsert", `{"x":{"__op":"SetOnInsert","amount":1}}`, 400, `{"code":108,"error":"The SetOnInsert operator is not supported yet."}`},
		{"increment by a string", `{"x":{"__op":"Increment","amount":"a"}}`, 400, `{"code":107,"error":"objects to add must be an array"}`},
		{"add to a number", `{"n":{"__op":"Add","objects":1}}`, 400, `{"code":111,"error":"schema mismatch for T.n; expected Number but got Array"}`},
		{"add what isn't a list", `{"arr":{"__op":"Add","objects":1}}`, 400, `{"code":107,"error":"objects to add must be an array"}`},
		{"relation to another class", `{"rel":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"U","objectId":"x"}]}}`, 400, `{"code":111,"error":"schema mismatch for T.rel; expected Relation<T> but got Relation<U>"}`},
		{"relation to two classes", `{"rel":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"T","objectId":"x"},{"__type":"Pointer","className":"U","objectId":"x"}]}}`, 400, `{"code":111,"error":"schema mismatch for T.rel; expected Relation<T> but got Relation<U>"}`},
		{"relation to a number", `{"rel":{"__op":"AddRelation","objects":[5]}}`, 400, `{"code":111,"error":"schema mismatch for T.rel; expected Relation<T> but got Relation"}`},
		{"relation without objects", `{"rel":{"__op":"AddRelation"}}`, 400, `{"code":107,"error":"objects to add must be an array"}`},
		{"new relation to nobody", `{"x":{"__op":"AddRelation","objects":[]}}`, 400, `{"code":107,"error":"objects to add must not be empty"}`},
		{"batch of nothing", `{"rel":{"__op":"Batch","ops":[]}}`, 400, `{"code":107,"error":"ops must be an array of operations"}`},
		{"batch in a batch", `{"rel":{"__op":"Batch","ops":[{"__op":"Batch","ops":[]}]}}`, 400, `{"code":107,"error":"ops must be an array of operations"}`},
		{"batch of another operation", `{"rel":{"__op":"Batch","ops":[{"__op":"Increment","amount":1}]}}`, 400, `{"code":111,"error":"schema mismatch for T.rel; expected Relation<T> but got Number"}`},
		{"a relation set to a number", `{"rel":5}`, 400, `{"code":111,"error":"schema mismatch for T.rel; expected Relation<T> but got Number"}`},
		{"a relation deleted", `{"rel":{"__op":"Delete"}}`, 400, `{"code":107,"error":"rel: only AddRelation and RemoveRelation can be done to a relation"}`},
		{"createdAt as text", `{"createdAt":"x"}`, 400, `{"code":111,"error":"schema mismatch for T.createdAt; expected Date but got String"}`},
		{"ACL of an unresolved user", `{"ACL":{"*unresolved":{"read":true}}}`, 400, `{"code":123,"error":"Invalid ACL."}`},
		{"a dotted name of a string", `{"s.z":1}`, 400, `{"code":111,"error":"schema mismatch for T.s; expected String but got Object"}`},
		{"a dotted name that ends in a dot", `{"o.":1}`, 400, `{"code":105,"error":"Invalid field name: o.."}`},
		{"a dotted name with a hole", `{"o..q":1}`, 400, `{"code":105,"error":"Invalid field name: o..q."}`},
		{"an index beyond the end", `{"arr.7":1}`, 400, `{"code":107,"error":"Invalid index in field name: arr.7"}`},
		{"not an object", `[1,2]`, 400, `{"code":107,"error":"invalid JSON"}`},
		{"not JSON", `{"a":`, 400, `{"code":107,"error":"invalid JSON"}`},
	}
	a.Changes.Take()
	for _, tt := range tests {
		for _, request := range []string{"POST /classes/T", "PUT /classes/T/" + a.Fill("<id>")} {
			t.Run(request[:4]+tt.name, func(t *testing.T) {
				got := a.Do("", request, tt.body)
				want := tt.want
				if request[:3] == "PUT" && tt.name == "increment by a string" {
					want = `{"code":107,"error":"incrementing must provide a number"}`
				}
				if request[:4] == "POST" && tt.name == "an index beyond the end" {
					return // there is no array yet: the object gets one with a hole, see TestDottedNames
				}
				if got.Status != tt.status || got.Body != want {
					t.Errorf("got %d %s\nwant %d %s", got.Status, got.Body, tt.status, want)
				}
			})
		}
	}
	if c := a.Changes.Take(); len(c) > 0 {
		t.Errorf("refused writes left something behind: %+v", c)
	}
	a.Play(t, []apptest.Step{
		{Do: "POST /classes/T", Body: `{"objectId":"abc"}`, Status: 400, Want: `{"code":105,"error":"objectId is an invalid field name."}`},
		{Do: "POST /classes/T", Body: `{"id":"abc"}`, Status: 400, Want: `{"code":105,"error":"id is an invalid field name."}`},
		{Do: "PUT /classes/T/<id>", Body: `{"objectId":"other"}`, Status: 400, Want: `{"code":105,"error":"objectId is an invalid field name."}`},
		{Do: "POST /classes/1bad", Body: `{"a":1}`, Status: 400, Want: `{"code":107,"error":"schema class name does not revalidate"}`},
		{Do: "POST /classes/_Foo", Body: `{}`, Status: 400, Want: `{"code":107,"error":"schema class name does not revalidate"}`},
		{Do: "POST /classes/" + long(64), Body: `{}`, Status: 400, Want: `{"code":107,"error":"schema class name does not revalidate"}`},
		{Who: "master", Do: "POST /classes/_Join:rel:T", Body: `{"owningId":"a","relatedId":"b"}`, Status: 400, Want: `{"code":107,"error":"schema class name does not revalidate"}`},
		{Who: "master", Do: "POST /classes/_Hooks", Body: `{}`, Status: 400, Want: `{"code":103,"error":"invalid className: _Hooks"}`},
		{Do: "PUT /classes/T/zzzzzzzzzz", Body: `{"s":"y"}`, Status: 404, Want: `{"code":101,"error":"Object not found."}`},
		{Do: "PUT /classes/Nope/zzzzzzzzzz", Body: `{"s":"y"}`, Status: 404, Want: `{"code":101,"error":"Object not found."}`},
		{Do: "DELETE /classes/T/zzzzzzzzzz", Status: 404, Want: `{"code":101,"error":"Object not found."}`},
		{Do: "DELETE /classes/Nope/zzzzzzzzzz", Want: `{}`},
		{Do: "GET /classes/Nope", Want: `{"results":[]}`},
		{Do: "GET /classes/Nope/abc", Status: 404, Want: `{"code":101,"error":"Object not found."}`},
	})
}

func long(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a'
	}
	return string(b)
}

func TestOperations(t *testing.T) {
	a := apptest.New(t, nil)
	play := func(steps ...apptest.Step) { t.Helper(); a.Play(t, steps) }
	play(apptest.Step{
		Do: "POST /classes/T", Body: `{"s":"x","n":1.5,"o":{"k":{"z":1}},"arr":[1,"a",{"q":2}],"twice":[1,1,1]}`,
		Want: `{"objectId":"<id>","createdAt":"<ts>"}`,
	})
	tests := []struct{ name, body, want string }{
		{"Increment", `{"n":{"__op":"Increment","amount":2}}`, `{"n":3.5,"updatedAt":"<ts>"}`},
		{"Increment of nothing", `{"m":{"__op":"Increment","amount":-1}}`, `{"m":-1,"updatedAt":"<ts>"}`},
		{"AddUnique", `{"arr":{"__op":"AddUnique","objects":["a","new","new"]}}`, `{"arr":[1,"a",{"q":2},"new"],"updatedAt":"<ts>"}`},
		{"Remove", `{"arr":{"__op":"Remove","objects":["a",{"q":2}]}}`, `{"arr":[1,"new"],"updatedAt":"<ts>"}`},
		{"Add keeps repetitions", `{"twice":{"__op":"Add","objects":[1,{"__type":"Pointer","className":"T","objectId":"z"}]}}`, `{"twice":[1,1,1,1,{"__type":"Pointer","className":"T","objectId":"z"}],"updatedAt":"<ts>"}`},
		{"Remove of a pointer", `{"twice":{"__op":"Remove","objects":[{"__type":"Pointer","className":"T","objectId":"z"}]}}`, `{"twice":[1,1,1,1],"updatedAt":"<ts>"}`},
		{"Remove from nothing", `{"none":{"__op":"Remove","objects":[1]}}`, `{"none":[],"updatedAt":"<ts>"}`},
		{"a value", `{"s":"y"}`, `{"updatedAt":"<ts>"}`},
		{"null", `{"s":null}`, `{"updatedAt":"<ts>"}`},
		{"null of no field", `{"nosuch":null}`, `{"updatedAt":"<ts>"}`},
		{"Delete", `{"s":{"__op":"Delete"}}`, `{"updatedAt":"<ts>"}`},
		{"Delete of no field", `{"nosuch":{"__op":"Delete"}}`, `{"updatedAt":"<ts>"}`},
		{"nothing", `{}`, `{"updatedAt":"<ts>"}`},
		{"times are the server's", `{"updatedAt":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"},"createdAt":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}}`, `{"updatedAt":"<ts>"}`},
		{"its own id", `{"objectId":"<id>"}`, `{"updatedAt":"<ts>"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a.Play(t, []apptest.Step{{Do: "PUT /classes/T/<id>", Body: tt.body, Want: tt.want}})
		})
	}
	play(apptest.Step{
		Do:   "GET /classes/T/<id>",
		Want: `{"objectId":"<id>","createdAt":"<ts>","updatedAt":"<ts>","n":3.5,"o":{"k":{"z":1}},"arr":[1,"new"],"twice":[1,1,1,1],"m":-1,"none":[]}`,
	})
}

func TestDottedNames(t *testing.T) {
	tests := []struct{ name, before, edit, answer, after string }{
		{"set", `{"o":{"k":1}}`, `{"o.k2":5}`, ``, `"o":{"k":1,"k2":5}`},
		{"set in nothing", `{"x":1}`, `{"o.k":5}`, ``, `"x":1,"o":{"k":5}`},
		{"set deep keeps the rest", `{"o":{"a":{"b":1,"c":2}}}`, `{"o.a.b":3}`, ``, `"o":{"a":{"b":3,"c":2}}`},
		{"increment", `{"o":{"k":5}}`, `{"o.k":{"__op":"Increment","amount":1.5}}`, `"o":{"k":6.5},`, `"o":{"k":6.5}`},
		{"increment twice", `{"o":{"k":5,"z":1}}`, `{"o.k":{"__op":"Increment","amount":1},"o.m":{"__op":"Increment","amount":2}}`, `"o":{"k":6,"m":2},`, `"o":{"k":6,"m":2,"z":1}`},
		{"increment deep", `{"o":{"a":{"b":1}}}`, `{"o.a.b":{"__op":"Increment","amount":1}}`, `"o":{"a":{"b":2}},`, `"o":{"a":{"b":2}}`},
		{"delete", `{"o":{"k":1,"l":2}}`, `{"o.k":{"__op":"Delete"}}`, ``, `"o":{"l":2}`},
		{"delete what isn't there", `{"o":{"l":2}}`, `{"o.k":{"__op":"Delete"}}`, ``, `"o":{"l":2}`},
		{"null", `{"o":{"k":1}}`, `{"o.k":null}`, ``, `"o":{"k":null}`},
		{"add", `{"o":{"k":[1]}}`, `{"o.k":{"__op":"Add","objects":[2]}}`, `"o":{"k":[1,2]},`, `"o":{"k":[1,2]}`},
		{"an element", `{"arr":[1,2]}`, `{"arr.0":9}`, ``, `"arr":[9,2]`},
		{"an element more", `{"arr":[1,2]}`, `{"arr.2":9}`, ``, `"arr":[1,2,9]`},
		{"inside an element", `{"arr":[{"n":1}]}`, `{"arr.0.n":{"__op":"Increment","amount":1}}`, `"arr":[{"n":2}],`, `"arr":[{"n":2}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, nil)
			a.Play(t, []apptest.Step{
				{Do: "POST /classes/T", Body: tt.before, Want: `{"objectId":"<id>","createdAt":"<ts>"}`},
				{Do: "PUT /classes/T/<id>", Body: tt.edit, Want: `{` + tt.answer + `"updatedAt":"<ts>"}`},
				{Do: "GET /classes/T/<id>", Want: `{"objectId":"<id>","createdAt":"<ts>","updatedAt":"<ts>",` + tt.after + `}`},
			})
		})
	}
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{
		{Do: "POST /classes/T", Body: `{"o.a.b":1}`, Want: `{"objectId":"<id>","createdAt":"<ts>"}`},
		{Do: "GET /classes/T/<id>", Want: `{"objectId":"<id>","createdAt":"<ts>","updatedAt":"<ts>","o":{"a":{"b":1}}}`},
		{Do: "PUT /classes/T/<id>", Body: `{"o.a":{"__op":"Increment","amount":1}}`, Status: 400, Want: `{"code":107,"error":"cannot increment o.a: it is not a number"}`},
		{Do: "PUT /classes/T/<id>", Body: `{"o.a.b.c":1}`, Status: 400, Want: `{"code":111,"error":"Cannot create field 'o.a.b.c' in a value that is not an object"}`},
	})
}
