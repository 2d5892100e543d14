package schema

// Operations are the operations class-level permissions speak of, in the schema API's order.
var Operations = [...]string{"find", "count", "get", "create", "update", "delete", "addField"}

// Public are the permissions of a class that has none of its own: everybody may do everything.
func Public() *Permissions {
	p := &Permissions{
		Operations:      make(map[string]map[string]any, len(Operations)),
		ProtectedFields: map[string][]string{"*": {}},
		ACL:             map[string]map[string]bool{"*": {"read": true, "write": true}},
	}
	for _, op := range Operations {
		p.Operations[op] = map[string]any{"*": true}
	}
	return p
}

// Value returns the permissions as the REST value of classLevelPermissions, with every operation present.
func (p *Permissions) Value() map[string]any {
	out := make(map[string]any, len(Operations)+4)
	for _, op := range Operations {
		out[op] = anyMap(p.Operations[op])
	}
	if len(p.ReadUserFields) > 0 {
		out["readUserFields"] = anyList(p.ReadUserFields)
	}
	if len(p.WriteUserFields) > 0 {
		out["writeUserFields"] = anyList(p.WriteUserFields)
	}
	if p.ProtectedFields != nil {
		fields := make(map[string]any, len(p.ProtectedFields))
		for who, names := range p.ProtectedFields {
			fields[who] = anyList(names)
		}
		out["protectedFields"] = fields
	}
	if p.ACL != nil {
		acl := make(map[string]any, len(p.ACL))
		for who, rights := range p.ACL {
			r := make(map[string]any, len(rights))
			for right, ok := range rights {
				r[right] = ok
			}
			acl[who] = r
		}
		out["ACL"] = acl
	}
	return out
}

// PermissionsOf reads classLevelPermissions as stored. An operation that isn't there is granted to nobody. What has
// another shape than parse-server writes is left out, which grants nothing.
func PermissionsOf(v map[string]any) *Permissions {
	p := &Permissions{Operations: make(map[string]map[string]any, len(Operations))}
	for _, op := range Operations {
		m, _ := v[op].(map[string]any)
		p.Operations[op] = anyMap(m)
	}
	p.ReadUserFields = stringList(v["readUserFields"])
	p.WriteUserFields = stringList(v["writeUserFields"])
	if m, ok := v["protectedFields"].(map[string]any); ok {
		p.ProtectedFields = make(map[string][]string, len(m))
		for who, names := range m {
			p.ProtectedFields[who] = stringList(names)
		}
	}
	if m, ok := v["ACL"].(map[string]any); ok {
		p.ACL = make(map[string]map[string]bool, len(m))
		for who, rights := range m {
			r := map[string]bool{}
			if rm, ok := rights.(map[string]any); ok {
				for right, set := range rm {
					r[right] = set == true
				}
			}
			p.ACL[who] = r
		}
	}
	return p
}

func anyMap(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func anyList(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func stringList(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
