package write

import (
	"net/url"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// maxObjectID bounds the ids clients choose, in bytes.
const maxObjectID = 256

// create makes the object. The order of the steps decides which error wins, and is parse-server's.
func (w *writing) create() (*Result, error) {
	if err := w.checkNewID(); err != nil {
		return nil, err
	}
	switch w.name {
	case schema.Session:
		if err := w.checkSession(); err != nil {
			return nil, err
		}
		if !w.a.Privileged() {
			return w.createOwnSession()
		}
	case schema.Installation:
		id, err := w.resolveInstallation()
		if err != nil {
			return nil, err
		}
		if id != "" { // the device is known
			w.id = id
			w.dropEdit("createdAt")
			return w.updateResolved()
		}
	case schema.User:
		done, err := w.beginSignUp()
		if done != nil || err != nil {
			return done, err
		}
	}
	w.row = storage.Object{}
	if _, err := w.grow(false); err != nil {
		return nil, err
	}
	if err := w.checkRequired(); err != nil {
		return nil, err
	}
	if _, err := w.a.Permit(w.class, "create", false); err != nil {
		return nil, err
	}
	if err := w.fill(); err != nil {
		return nil, err
	}
	if w.name == schema.User {
		if err := w.completeSignUp(); err != nil {
			return nil, err
		}
	}
	if w.name == schema.Session {
		if err := w.closeDuplicates(w.row); err != nil {
			return nil, err
		}
	}
	if err := w.insert(); err != nil {
		return nil, err
	}
	if w.name == schema.User {
		if err := w.openSignUpSession(); err != nil {
			return nil, err
		}
	}
	w.tellAsked()
	if err := w.show(); err != nil {
		return nil, err
	}
	res := &Result{Status: 201, Location: w.location(), Body: w.answerBody()}
	if w.refused {
		res.Refusal = notVerified()
		if w.asked != nil {
			w.asked.refused = true
		}
	}
	return w.posted(res), nil
}

// location is the path of the object. Clients may have chosen its id, so it is escaped.
func (w *writing) location() string {
	if w.name == schema.User {
		return "/users/" + url.PathEscape(w.id)
	}
	return "/classes/" + w.name + "/" + url.PathEscape(w.id)
}

// checkNewID checks the id that the body chooses, or that it chooses none.
func (w *writing) checkNewID() error {
	id, named := w.body.Values["objectId"]
	s, _ := id.(string)
	// Such an id would be taken for a role, or for everybody, in every ACL.
	if w.name == schema.User && (strings.HasPrefix(s, "role:") || s == "*") {
		return parseerror.Denied(parseerror.OperationForbidden, "Invalid object ID.")
	}
	if !w.changed() && !w.o.AllowCustomObjectID {
		if query.Truthy(id) {
			return parseerror.New(parseerror.InvalidKeyName, "objectId is an invalid field name.")
		}
		if query.Truthy(w.body.Values["id"]) {
			return parseerror.New(parseerror.InvalidKeyName, "id is an invalid field name.")
		}
		return nil
	}
	if named && !query.Truthy(id) {
		return parseerror.New(parseerror.MissingObjectID, "objectId must not be empty, null or undefined")
	}
	if len(s) > maxObjectID {
		return parseerror.New(parseerror.InvalidKeyName, "objectId must not be longer than %d bytes", maxObjectID)
	}
	return nil
}

// checkRequired checks the fields that the class must have whatever its schema says.
func (w *writing) checkRequired() error {
	for _, name := range schema.Required(w.name) {
		v := w.body.Values[name]
		missing := !query.Truthy(v)
		if w.old != nil {
			missing = isDelete(v)
		}
		if missing {
			return parseerror.New(parseerror.IncorrectType, "%s is required.", name)
		}
	}
	return nil
}

func isDelete(v any) bool {
	m, _ := v.(map[string]any)
	return m["__op"] == "Delete"
}

// fill computes the row of a new object from its edits, defaults and the clock.
func (w *writing) fill() error {
	for i := range w.edits {
		e := &w.edits[i]
		if err := checkKeys(e.raw, true); err != nil {
			return err
		}
		if err := w.edit(e); err != nil {
			return err
		}
	}
	if err := w.stamp(); err != nil {
		return err
	}
	if err := w.defaults(); err != nil {
		return err
	}
	if w.name == schema.Product {
		w.copyDownloadName()
	}
	return nil
}

// edit applies one edit to the row, unless the field has rules of its own.
func (w *writing) edit(e *edit) error {
	switch {
	case e.root == "objectId" || e.root == "createdAt" || e.root == "updatedAt":
		return nil
	case w.name == schema.User && (e.root == "password" || e.root == "authData" || e.root == "sessionToken"):
		return nil
	case e.kind == relation:
		return w.related(e)
	case e.kind == unset && !w.has(e.root):
		return nil
	case w.class.Fields[e.root].Type == schema.Relation && e.raw == nil:
		return nil
	case w.class.Fields[e.root].Type == schema.Relation:
		return parseerror.New(parseerror.InvalidJSON, "%s: only AddRelation and RemoveRelation can be done to a relation", e.name)
	}
	v, err := e.apply(w.row[e.root], w.old == nil)
	if err != nil {
		return err
	}
	if w.old == nil && v == nil {
		return nil
	}
	w.put(e.root, v)
	if e.kind >= increment && e.kind <= remove {
		w.tell(e)
	}
	return nil
}

// has reports whether the class has the field.
func (w *writing) has(name string) bool {
	_, internal := w.internalField(name)
	return internal || w.class.Fields[name].Type != ""
}

// tell puts the outcome of an operation into the answer.
func (w *writing) tell(e *edit) {
	v := w.row[e.root]
	if len(e.path) == 0 {
		w.answer.set(e.root, v)
		return
	}
	if _, isList := v.([]any); isList {
		w.answer.set(e.root, v)
		return
	}
	// {"a.b":…} is answered by {"a":{"b":…}}.
	shown, _ := w.answer.values[e.root].(map[string]any)
	if shown == nil {
		shown = map[string]any{}
	}
	at := shown
	for i, part := range e.path {
		m, _ := v.(map[string]any)
		v = m[part]
		if _, isMap := v.(map[string]any); i == len(e.path)-1 || !isMap {
			at[part] = v
			break
		}
		next, _ := at[part].(map[string]any)
		if next == nil {
			next = map[string]any{}
			at[part] = next
		}
		at = next
	}
	w.answer.set(e.root, shown)
}

// stamp gives the object its id and its times. The maintenance key may choose the times.
func (w *writing) stamp() error {
	created, updated := w.now, w.now
	if d, ok := w.body.Values["createdAt"].(query.Date); ok && w.a.Maintenance {
		created, updated = d, d
		if d, ok := w.body.Values["updatedAt"].(query.Date); ok {
			if d.Before(created.Time) {
				return parseerror.New(parseerror.Validation, "updatedAt cannot occur before createdAt")
			}
			updated = d
		}
	}
	id, _ := w.body.Values["objectId"].(string)
	if id == "" {
		var err error
		if id, err = randomString(w.o.Random, w.o.ObjectIDSize); err != nil {
			return err
		}
	}
	w.id = id
	w.put("objectId", id)
	w.put("createdAt", created)
	w.put("updatedAt", updated)
	w.answer.set("objectId", id)
	w.answer.set("createdAt", string(query.AppendTime(nil, created.Time)))
	return nil
}

// defaults gives the object the ACL and the field values it wasn't sent with.
func (w *writing) defaults() error {
	if w.acl.sent {
		w.putACL(w.acl.raw, "")
	} else if acl, ok := w.defaultACL(); ok {
		w.putACL(acl, "")
		w.answer.set("ACL", acl)
	}
	var names []string // few, mostly none
	for name, f := range w.class.Fields {
		if f.Default != nil || f.Required {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		f := w.class.Fields[name]
		sent, named := w.body.Values[name]
		if v := w.row[name]; v != nil && v != "" || named && sent != nil && sent != "" && !isDelete(sent) {
			continue
		}
		if f.Default != nil && (!named || isDelete(sent)) {
			v := f.Default
			w.put(name, v)
			w.answer.set(name, v)
		} else if f.Required {
			return parseerror.New(parseerror.Validation, "%s is required", name)
		}
	}
	return nil
}

func (w *writing) copyDownloadName() {
	if f, ok := w.row["download"].(query.File); ok && slices.Contains(w.touched, "download") {
		w.put("downloadName", f.Name)
	}
}
