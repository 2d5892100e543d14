package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/query"
)

// permissionKeys are what class-level permissions may say beside the operations.
var permissionKeys = []string{"ACL", "readUserFields", "writeUserFields", "protectedFields"}

func badPermissions(format string, args ...any) error {
	return &query.Error{Code: codeInvalidJSON, Message: fmt.Sprintf(format, args...)}
}

// CheckPermissions returns the schema API's error for classLevelPermissions that aren't valid for a class with the given
// fields. anyID says that the ids of users may be of any form.
func CheckPermissions(p *query.Object, fields map[string]Field, anyID bool) error {
	for _, key := range p.Names {
		if !slices.Contains(Operations[:], key) && !slices.Contains(permissionKeys, key) {
			return badPermissions("%s is not a valid operation for class level permissions", key)
		}
		v := p.Values[key]
		if key == "readUserFields" || key == "writeUserFields" {
			list, ok := v.([]any)
			if !ok {
				return badPermissions("'%s' is not a valid value for class level permissions %s - must be an array", query.JSString(v), key)
			}
			if err := checkUserFields(list, fields, key); err != nil {
				return err
			}
			continue
		}
		entities, ok := v.(map[string]any)
		if !ok {
			if list, isList := v.([]any); isList && len(list) == 0 {
				continue // JavaScript takes it for an object without members
			}
			return badPermissions("'%s' is not a valid value for class level permissions %s - must be an object", query.JSString(v), key)
		}
		for _, entity := range sortedKeys(entities) {
			var err error
			switch key {
			case "protectedFields":
				err = checkProtected(entity, entities[entity], fields, anyID)
			case "ACL":
				err = checkDefaultACL(entity, entities[entity], anyID)
			default:
				err = checkGrant(key, entity, entities[entity], fields, anyID)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// checkGrant checks one entity of an operation.
func checkGrant(op, entity string, v any, fields map[string]Field, anyID bool) error {
	if err := checkEntity(entity, anyID, "*", "requiresAuthentication", "pointerFields"); err != nil {
		return err
	}
	if entity == "pointerFields" {
		list, ok := v.([]any)
		if !ok {
			return badPermissions("'%s' is not a valid value for %s[%s] - expected an array.", query.JSString(v), op, entity)
		}
		return checkUserFields(list, fields, "[object Object]") // as parse-server words it
	}
	if v != true {
		return badPermissions("'%s' is not a valid value for class level permissions acl %s:%s", query.JSString(v), op, entity)
	}
	return nil
}

// checkEntity checks who is meant: one of the words, a role, or the id of a user.
func checkEntity(entity string, anyID bool, words ...string) error {
	if slices.Contains(words, entity) || strings.HasPrefix(entity, "role:") || entity != "" && (anyID || isAlphanumeric(entity)) {
		return nil
	}
	return badPermissions("'%s' is not a valid key for class level permissions", entity)
}

func isAlphanumeric(s string) bool { return isWord(s) && !strings.Contains(s, "_") }

func checkDefaultACL(entity string, v any, anyID bool) error {
	if err := checkEntity(entity, anyID, "*", "requiresAuthentication", "pointerFields"); err != nil {
		return err
	}
	rights, ok := v.(map[string]any)
	if !ok {
		return badPermissions("'%s' is not a valid value for class level permissions acl", query.JSString(v))
	}
	var keys, values []string
	for _, right := range sortedKeys(rights) {
		if right != "read" && right != "write" {
			keys = append(keys, right)
		}
		if _, isBool := rights[right].(bool); !isBool {
			values = append(values, query.JSString(rights[right]))
		}
	}
	if len(keys) > 0 {
		return badPermissions("'%s' is not a valid key for class level permissions acl", strings.Join(keys, ","))
	}
	if len(values) > 0 {
		return badPermissions("'%s' is not a valid value for class level permissions acl", strings.Join(values, ","))
	}
	return nil
}

func checkProtected(entity string, v any, fields map[string]Field, anyID bool) error {
	if !strings.HasPrefix(entity, "userField:") {
		if err := checkEntity(entity, anyID, "*", "authenticated"); err != nil {
			return err
		}
	}
	list, ok := v.([]any)
	if !ok {
		return badPermissions("'%s' is not a valid value for protectedFields[%s] - expected an array.", query.JSString(v), entity)
	}
	for _, f := range list {
		name := query.JSString(f)
		for _, d := range Base() {
			if d.Name == name {
				return badPermissions("Default field '%s' can not be protected", name)
			}
		}
		if _, there := fields[name]; !there {
			return badPermissions("Field '%s' in protectedFields:%s does not exist", name, entity)
		}
	}
	return nil
}

// checkUserFields checks that fields point to users, or are arrays that may.
func checkUserFields(list []any, fields map[string]Field, where string) error {
	for _, v := range list {
		name := query.JSString(v)
		f := fields[name]
		if f.Type != Array && (f.Type != Pointer || f.TargetClass != User) {
			return badPermissions("'%s' is not a valid column for class level pointer permissions %s", name, where)
		}
	}
	return nil
}
