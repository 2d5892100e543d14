package storetest

import (
	"fmt"
	"testing"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

func schemaIsSeenAtOnce(t *testing.T, d Database) {
	a, b := d.open(t), d.open(t)
	for i := range 20 {
		field := fmt.Sprint("f", i)
		PutClass(t, a, "A", field+" Number")
		PutClass(t, b, "A", fmt.Sprint("g", i)+" String")
		Insert(t, b, Class(t, b, "A"), `{"objectId":"`+field+`","`+field+`":1,"g`+fmt.Sprint(i)+`":"x"}`)
		got, err := IDs(a, storage.Find{Class: &schema.Class{Name: "A"}, Where: Where(t, `{"`+field+`":1,"g`+fmt.Sprint(i)+`":"x"}`), Limit: -1})
		if got != field || err != nil {
			t.Fatalf("round %d: %q, %v", i, got, err)
		}
	}
	// The one that was there first keeps its type.
	PutClass(t, a, "A", "x Number")
	if c := PutClass(t, b, "A", "x String", "y String"); c.Fields["x"].Type != schema.Number || c.Fields["y"].Type != schema.String {
		t.Errorf("fields %v", c.Fields)
	}
}
