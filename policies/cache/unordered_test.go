package cache

import "testing"

// TestCompareUnordered compares answers to a find that asks for no order.
func TestCompareUnordered(t *testing.T) {
	q := windowQuery(t, `where={"n":{"$gt":0}}&count=1`)
	const stored = `{"results":[{"objectId":"a","n":1},{"objectId":"b","n":2}],"count":7}`
	for _, tt := range []struct {
		name, now string
		want      CheckOutcome
	}{
		{"the same bytes", stored, Same},
		{"another order", `{"results":[{"objectId":"b","n":2},{"objectId":"a","n":1}],"count":7}`, Same},
		{"as many, others among them", `{"results":[{"objectId":"c","n":3},{"objectId":"a","n":1}],"count":7}`, Undecided},
		{"others among them, and one of both has changed", `{"results":[{"objectId":"c","n":3},{"objectId":"a","n":2}],"count":7}`, Different},
		{"an object has changed", `{"results":[{"objectId":"b","n":2},{"objectId":"a","n":0}],"count":7}`, Different},
		{"one is gone", `{"results":[{"objectId":"b","n":2}],"count":7}`, Different},
		{"one is new", `{"results":[{"objectId":"a","n":1},{"objectId":"b","n":2},{"objectId":"c","n":3}],"count":7}`, Different},
		{"another count", `{"results":[{"objectId":"b","n":2},{"objectId":"a","n":1}],"count":8}`, Different},
		{"no count", `{"results":[{"objectId":"b","n":2},{"objectId":"a","n":1}]}`, Different},
		{"an error", `{"code":209,"error":"Invalid session token"}`, Different},
		{"no JSON", `<html>`, Different},
		{"objects without ids", `{"results":[{"n":2},{"n":1}],"count":7}`, Different},
		{"an object twice", `{"results":[{"objectId":"a","n":1},{"objectId":"a","n":1}],"count":7}`, Different},
	} {
		if got := Compare(q, []byte(stored), []byte(tt.now)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, checkOutcomeNames[got], checkOutcomeNames[tt.want])
		}
	}
	const turned = `{"results":[{"objectId":"b","n":2},{"objectId":"a","n":1}],"count":7}`
	for _, sorted := range []string{`where={"n":{"$gt":0}}&order=n`, `where={"p":{"$nearSphere":{"__type":"GeoPoint","latitude":1,"longitude":2}}}`} {
		if got := Compare(windowQuery(t, sorted), []byte(stored), []byte(turned)); got != Different {
			t.Errorf("%s: another order is %s", sorted, checkOutcomeNames[got])
		}
	}
	const unnamed = `{"results":[{"n":1}]}`
	if got := Compare(q, []byte(unnamed), []byte(`{"results":[{"n":2}]}`)); got != Different {
		t.Errorf("objects that have no ids: %s", checkOutcomeNames[got])
	}
}
