package write

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Installations says what becomes of installations that turn out to be the same device. Start from DefaultOptions.
type Installations struct {
	// Clear takes the device token (or, of a merged row, the installation id) from rows that lose it, instead of deleting
	// them; parse-server's duplicateDeviceTokenAction "update". Default: false, they are deleted.
	Clear bool
	// EnforceAuth leaves rows alone that the caller may not change. Default: false, they are tidied up with the server's
	// own rights.
	EnforceAuth bool
	// KeepInstallationID keeps, of two rows that are merged, the one with the installation id instead of the one with the
	// device token; duplicateDeviceTokenMergePriority "installationId". Default: false.
	KeepInstallationID bool
}

// iosToken is the length of an iOS device token, which is hexadecimal and therefore compared in lower case.
const iosToken = 64

// normalInstallation brings the body of an installation into the form in which its ids are kept and compared. Ids that
// are no texts are refused: as a condition they could stand for other devices' rows.
func normalInstallation(b *query.Object) error {
	for _, name := range []string{"deviceToken", "installationId", "appIdentifier"} {
		v, named := b.Values[name]
		if _, isText := v.(string); !named || v == nil || isText || isDelete(v) {
			continue
		}
		got, _ := schema.Infer(v)
		return schema.Mismatch(schema.Installation, name, schema.Field{Type: schema.String}, got)
	}
	if s, _ := b.Values["deviceToken"].(string); utf8.RuneCountInString(s) == iosToken {
		b.Values["deviceToken"] = strings.ToLower(s)
	}
	if s, _ := b.Values["installationId"].(string); s != "" {
		b.Values["installationId"] = strings.ToLower(s)
	}
	return nil
}

// installations are the rows that may be the device a body speaks of.
type installations struct {
	byID           storage.Object   // the one that is updated
	byInstallation storage.Object   // the one with the installation id
	byToken        []storage.Object // those with the device token
}

// resolveInstallation finds the row that stands for the device of the body, and tidies up what else claims to be it.
// w.id is the row that is updated, "" for a new one. It returns the id of the row to update; "": a new one is to be made.
func (w *writing) resolveInstallation() (string, error) {
	token, _ := w.body.Values["deviceToken"].(string)
	sent, _ := w.body.Values["installationId"].(string)
	deviceType := w.body.Values["deviceType"]
	id := sent
	if id == "" && !w.a.Privileged() {
		id = strings.ToLower(w.a.InstallationID)
	}
	isNew := w.id == ""
	if isNew && token == "" && sent == "" && w.a.InstallationID == "" {
		return "", parseerror.New(parseerror.MissingClassName, "at least one ID field (deviceToken, installationId) must be specified in this operation")
	}
	if !isNew && token == "" && id == "" && !query.Truthy(deviceType) {
		return w.id, nil
	}
	found, err := w.findInstallations(id, token)
	if err != nil {
		return "", err
	}
	match := found.byID
	if !isNew {
		if match == nil {
			return "", parseerror.New(parseerror.ObjectNotFound, "Object not found for update.")
		}
		if err := checkInstallationChange(match, sent, token, deviceType); err != nil {
			return "", err
		}
	}
	if found.byInstallation != nil {
		match = found.byInstallation
	}
	if match == nil {
		if !query.Truthy(deviceType) {
			return "", parseerror.New(parseerror.MissingClassName, "deviceType must be specified in this operation")
		}
		return w.resolveByToken(found.byToken, id, sent)
	}
	return w.resolveByID(match, found.byToken, sent, token)
}

func (w *writing) findInstallations(id, token string) (installations, error) {
	var out installations
	equal := func(field, v string) query.Expr {
		return &query.Compare{Path: query.Path(field), Op: query.Eq, Value: v}
	}
	var where query.Or
	for _, c := range []struct{ field, v string }{{"objectId", w.id}, {"installationId", id}, {"deviceToken", token}} {
		if c.v != "" {
			where = append(where, equal(c.field, c.v))
		}
	}
	if len(where) == 0 || w.class == nil {
		return out, nil
	}
	err := w.tx.Find(w.ctx, &storage.Find{Schema: w.sch, Class: w.class, Where: where, Limit: -1, Exclusive: true}, func(r storage.Row) error {
		o, err := r.Object()
		if err != nil {
			return err
		}
		if o["objectId"] == w.id {
			out.byID = o
		}
		if id != "" && o["installationId"] == id {
			out.byInstallation = o
		}
		if token != "" && o["deviceToken"] == token {
			out.byToken = append(out.byToken, o)
		}
		return nil
	})
	return out, err
}

// checkInstallationChange refuses to turn one device's row into another's.
func checkInstallationChange(row storage.Object, id, token string, deviceType any) error {
	fixed := func(field string) error {
		return parseerror.New(parseerror.NotChangeable, "%s may not be changed in this operation", field)
	}
	has := func(field string) string {
		s, _ := row[field].(string)
		return s
	}
	switch {
	case id != "" && has("installationId") != "" && id != has("installationId"):
		return fixed("installationId")
	case token != "" && has("deviceToken") != "" && token != has("deviceToken") && id == "" && has("installationId") == "":
		return fixed("deviceToken")
	case query.Truthy(deviceType) && deviceType != any(has("deviceType")):
		return fixed("deviceType")
	}
	return nil
}

// resolveByToken resolves a body that no row matches by id.
func (w *writing) resolveByToken(byToken []storage.Object, id, sent string) (string, error) {
	if len(byToken) == 0 {
		return "", nil
	}
	if other, _ := byToken[0]["installationId"].(string); len(byToken) == 1 && (other == "" || id == "") {
		return objectID(byToken[0]), nil
	}
	if sent == "" {
		return "", parseerror.New(132, "Must specify installationId when deviceToken matches multiple Installation objects")
	}
	// The token has moved to another installation: a new row, and the old ones go.
	return "", w.dropTokenRows(byToken, func(o storage.Object) bool { return o["installationId"] != id })
}

// resolveByID resolves a body that one row matches by its id or installation id.
func (w *writing) resolveByID(match storage.Object, byToken []storage.Object, sent, token string) (string, error) {
	id := objectID(match)
	if len(byToken) == 1 && byToken[0]["installationId"] == nil {
		other := objectID(byToken[0])
		if other == id {
			return id, nil
		}
		// Both rows are the same device: one by its installation id, one by its token alone.
		if w.o.Installations.KeepInstallationID {
			return id, w.dropInstallation(byToken[0], "deviceToken")
		}
		return other, w.dropInstallation(match, "installationId")
	}
	if token == "" || match["deviceToken"] == token {
		return id, nil
	}
	switch {
	case sent != "":
		return id, w.dropTokenRows(byToken, func(o storage.Object) bool { return o["installationId"] != sent })
	case w.body.Values["objectId"] == id:
		return id, w.dropTokenRows(byToken, func(o storage.Object) bool { return objectID(o) != id })
	}
	return id, nil
}

func objectID(o storage.Object) string {
	id, _ := o["objectId"].(string)
	return id
}

// dropTokenRows takes the device token from other rows of the same app.
func (w *writing) dropTokenRows(rows []storage.Object, other func(storage.Object) bool) error {
	app, _ := w.body.Values["appIdentifier"].(string)
	for _, o := range rows {
		if !other(o) || app != "" && o["appIdentifier"] != app {
			continue
		}
		if err := w.dropInstallation(o, "deviceToken"); err != nil {
			return err
		}
	}
	return nil
}

// dropInstallation removes a row that stands for a device no more, or just clears the field by which it did.
func (w *writing) dropInstallation(o storage.Object, field string) error {
	now, err := w.tx.Lock(w.ctx, w.class, objectID(o))
	if errors.Is(err, storage.ErrNotFound) || err == nil && (now == nil || now[field] != o[field]) {
		return nil // it has gone meanwhile, or stands for another device
	}
	if err != nil {
		return err
	}
	o = now
	op := "delete"
	if w.o.Installations.Clear {
		op = "update"
	}
	if w.o.Installations.EnforceAuth && !w.a.Privileged() {
		// Clients may never delete installations.
		grant, err := w.a.Permit(w.class, op, true)
		if op == "delete" || err != nil || !grant.Admits(o) || !w.a.Admits(o["_wperm"]) {
			return nil //nolint:nilerr // what may not be tidied up stays
		}
	}
	if op == "delete" {
		return w.remove(w.class, objectID(o), o)
	}
	after := make(storage.Object, len(o))
	for k, v := range o {
		if k != field {
			after[k] = v
		}
	}
	if err := w.tx.Update(w.ctx, w.class, objectID(o), storage.Object{field: nil}); err != nil {
		return err
	}
	w.tx.Emit(change.Change{
		Class: w.name, ObjectID: objectID(o), Kind: change.Update,
		Before: image(w.class, o), After: image(w.class, after), Touched: []string{field},
	})
	return nil
}

// dropEdit takes a field out of what the body changes.
func (w *writing) dropEdit(name string) {
	own := *w.request
	own.edits = slices.DeleteFunc(slices.Clone(own.edits), func(e edit) bool { return e.root == name })
	w.request = &own
}
