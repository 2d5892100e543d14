package write_test

import (
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

// TestVersionsOfAnObject: of the changes of one object a later one has a larger version, also if clients choose its id, and it
// is made again after it was deleted.
func TestVersionsOfAnObject(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Write.AllowCustomObjectID = true })
	const made = `{"objectId":"mine","createdAt":"<ts>"}`
	var steps []apptest.Step
	for range 3 { // numbers that are taken before they are needed
		steps = append(steps, apptest.Step{Do: "POST /classes/A", Body: `{"n":0}`, Want: `{"objectId":"<any>","createdAt":"<ts>"}`})
	}
	for range 3 {
		steps = append(steps,
			apptest.Step{Do: "POST /classes/A", Body: `{"objectId":"mine","n":1}`, Want: made},
			apptest.Step{Do: "PUT /classes/A/mine", Body: `{"n":2}`, Want: `{"updatedAt":"<ts>"}`},
			apptest.Step{Do: "DELETE /classes/A/mine", Want: `{}`})
	}
	a.Play(t, steps)
	last, changes := uint64(0), 0
	for _, c := range a.Changes.Take() {
		if c.ObjectID != "mine" {
			continue
		}
		if changes++; c.Version <= last {
			t.Errorf("change %d, of kind %v, has the version %d after %d", changes, c.Kind, c.Version, last)
		}
		last = c.Version
	}
	if changes != 9 {
		t.Errorf("%d changes", changes)
	}
}
