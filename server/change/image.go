package change

import "strings"

// isSecret is the one list of what a Change never tells: password hashes and their history, tokens, auth data. Columns
// whose name begins with "_" are the server's own, and but for permissions never told, so that one a later Parse Server
// adds is covered too.
func isSecret(class, field string) bool {
	switch field {
	case "_rperm", "_wperm":
		return false
	case "authData":
		return true
	case "sessionToken":
		return class == "_Session" || class == "_User"
	case "password":
		return class == "_User"
	}
	return strings.HasPrefix(field, "_")
}

// NewImage makes the image of an object of a class from its columns (a storage.Object is one). Secret fields are left
// out and listed in Omitted. So must be whatever else the columns don't tell: untold names those fields, such as the
// class's relations, whose members are rows of another table. Without it, a query that asks for members of a relation
// would take the field for missing. The map is copied, its values are not: they must not change afterwards.
// A nil map gives a nil image.
func NewImage(class string, fields map[string]any, untold ...string) *Image {
	if fields == nil {
		return nil
	}
	i := &Image{Fields: make(map[string]any, len(fields))}
	authData := false
	for name, v := range fields {
		if isSecret(class, name) {
			i.Omitted = append(i.Omitted, name)
			authData = authData || strings.HasPrefix(name, "_auth_data_")
			continue
		}
		i.Fields[name] = v
	}
	if authData {
		// Queries call it by its REST name.
		i.Omitted = append(i.Omitted, "authData")
	}
	for _, name := range untold {
		if _, told := i.Fields[name]; !told {
			i.Omitted = append(i.Omitted, name)
		}
	}
	return i
}

// cut returns the change without its images' contents: whoever matches it must take every field as unknown.
func (c Change) cut() Change {
	if c.Before != nil {
		c.Before = &Image{Partial: true}
	}
	if c.After != nil {
		c.After = &Image{Partial: true}
	}
	return c
}
