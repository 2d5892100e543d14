package write

import (
	"slices"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// image returns an object as others may learn of it. Secrets are named and not told. So are relations: who is a member
// isn't in the object, and whoever asks by it can't be answered from here.
func image(class *schema.Class, o storage.Object) *change.Image {
	im := &change.Image{Fields: make(map[string]any, len(o))}
	for name, v := range o {
		if secret(class.Name, name) {
			im.Omitted = append(im.Omitted, name)
		} else {
			im.Fields[name] = v
		}
	}
	for name, f := range class.Fields {
		if f.Type == schema.Relation {
			im.Omitted = append(im.Omitted, name)
		}
	}
	slices.Sort(im.Omitted)
	return im
}

// secret reports whether a column never leaves the database but to its owner.
func secret(class, column string) bool {
	switch {
	case column == "_rperm" || column == "_wperm":
		return false
	case column[:min(1, len(column))] == "_":
		return true
	case class == schema.User:
		return column == "authData" || column == "password" || column == "sessionToken"
	case class == schema.Session:
		return column == "sessionToken"
	}
	return false
}
