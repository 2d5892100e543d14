package write

import (
	"errors"
	"maps"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// update changes the object. The order of the steps decides which error wins, and is parse-server's, but that nothing
// is told of other users to those who may not change this one.
func (w *writing) update() (*Result, error) {
	if err := w.checkUpdate(); err != nil {
		return nil, err
	}
	if w.name == schema.Installation {
		id, err := w.resolveInstallation()
		if err != nil {
			return nil, err
		}
		w.id = id
	}
	return w.updateResolved()
}

// updateResolved changes the object that w.id names.
func (w *writing) updateResolved() (*Result, error) {
	needsGrant, err := w.grow(true)
	if err != nil {
		return nil, err
	}
	if err := w.checkSameID(); err != nil {
		return nil, err
	}
	if err := w.lock("update", needsGrant); err != nil {
		return nil, err
	}
	if w.holds != nil {
		if err := w.holds(w.old); err != nil {
			return nil, err
		}
	}
	if err := w.checkRequired(); err != nil {
		return nil, err
	}
	if w.name == schema.User {
		if err := w.settleBody(); err != nil {
			return nil, err
		}
		if w.claim != nil && w.claim.then != nil {
			return w.claim.outcome(), w.link(w.ctx, w.tx, w.claim)
		}
	}
	w.row = maps.Clone(w.old)
	for i := range w.edits {
		e := &w.edits[i]
		if err := checkKeys(e.raw, false); err != nil {
			return nil, err
		}
		if f := w.class.Fields[e.root]; f.Required && e.path == nil && (e.raw == nil || e.raw == "" || isDelete(e.raw)) {
			return nil, parseerror.New(parseerror.Validation, "%s is required", e.root)
		}
		if err := w.edit(e); err != nil {
			return nil, err
		}
	}
	if w.acl.sent {
		self := ""
		// Users can't lock themselves out.
		if w.name == schema.User && !w.a.Privileged() {
			self = w.id
		}
		w.putACL(w.acl.raw, self)
	}
	w.put("updatedAt", w.now)
	w.answer.set("updatedAt", string(query.AppendTime(nil, w.now.Time)))
	if w.name == schema.Product {
		w.copyDownloadName()
	}
	if w.name == schema.User {
		if err := w.updateUser(); err != nil {
			return nil, err
		}
	}
	if err := w.save(); err != nil {
		return nil, err
	}
	if w.name == schema.User {
		if err := w.followPassword(); err != nil {
			return nil, err
		}
	}
	w.tellAsked()
	if err := w.show(); err != nil {
		return nil, err
	}
	return w.posted(&Result{Status: 200, Body: w.answerBody()}), nil
}

// checkUpdate checks what the class lets a body say, before anything is looked up.
func (w *writing) checkUpdate() error {
	switch w.name {
	case schema.Session:
		return w.checkSession()
	case schema.User:
		return w.checkUser()
	}
	return nil
}

// checkSameID refuses to change an object's id: its pointers, relations, sessions and ACLs would lose it.
func (w *writing) checkSameID() error {
	if id := w.body.Values["objectId"]; id != nil && id != w.id {
		return parseerror.New(parseerror.InvalidKeyName, "objectId is an invalid field name.")
	}
	return nil
}

// lock locks the object, if the caller may do op to it. An object that the caller may not change can't be told from one
// that isn't there.
func (w *writing) lock(op string, addsField bool) error {
	grant, err := w.a.Permit(w.class, op, true)
	if err != nil {
		return err
	}
	var adds auth.Grant
	if addsField {
		if adds, err = w.a.Permit(w.class, "addField", true); err != nil {
			return err
		}
	}
	if w.class == nil {
		return parseerror.NotFound()
	}
	w.old, err = w.tx.Lock(w.ctx, w.class, w.id)
	if errors.Is(err, storage.ErrNotFound) {
		return parseerror.NotFound()
	}
	if err != nil {
		return err
	}
	if w.old == nil || !w.a.Admits(w.old["_wperm"]) || !grant.Admits(w.old) || !adds.Admits(w.old) {
		return parseerror.NotFound()
	}
	if w.name == schema.Session && !w.a.Privileged() && !w.ownSession(w.old) {
		return parseerror.NotFound()
	}
	return nil
}

// delete removes the object.
func (w *writing) delete() (*Result, error) {
	done := &Result{Status: 200, Body: []byte("{}")}
	if w.name == schema.Session && !w.a.Privileged() && w.a.UserID == "" {
		return nil, parseerror.Denied(parseerror.InvalidSessionToken, "Invalid session token")
	}
	if w.class == nil {
		// parse-server takes a class that isn't there for one with nothing to delete.
		return done, nil
	}
	err := w.lock("delete", false)
	if e := parseerror.From(err); w.name == schema.Session && e != nil && e.Code == parseerror.ObjectNotFound && e.Detail == "" {
		return nil, parseerror.New(parseerror.ObjectNotFound, "Object not found for delete.")
	}
	if err != nil {
		return nil, err
	}
	if w.last() {
		w.tx.Last()
	}
	if err := w.remove(w.class, w.id, w.old); err != nil {
		return nil, err
	}
	if w.name == schema.User {
		// Unlike parse-server's, a session doesn't outlive its user.
		if err := w.closeSessions(w.id); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// hideMissing turns the error of a user that isn't there, or may not be changed, into the one that says as much to
// somebody who isn't that user.
func (w *writing) hideMissing(err error) error {
	if err == nil || w.name != schema.User || w.a.Privileged() || parseerror.From(err).Code != parseerror.ObjectNotFound {
		return err
	}
	return parseerror.Denied(parseerror.SessionMissing, "Insufficient auth.")
}

// duplicate turns a violated unique index into the error clients know it by.
func (w *writing) duplicate(err error) error {
	var d *storage.Duplicate
	if !errors.As(err, &d) || d.Class != schema.User {
		return err
	}
	switch {
	case d.Field == "username":
		return usernameTaken()
	case d.Field == "email":
		return emailTaken()
	case strings.HasPrefix(d.Field, "_auth_data_"):
		return errLinked
	}
	return err
}
