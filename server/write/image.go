package write

import (
	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// image returns an object as others may learn of it. Relations are not told: who is a member isn't in the object, and
// whoever asks by it can't be answered from here.
func image(class *schema.Class, o storage.Object) *change.Image {
	var relations []string
	for name, f := range class.Fields {
		if f.Type == schema.Relation {
			relations = append(relations, name)
		}
	}
	return change.NewImage(class.Name, o, relations...)
}
