package write

import (
	"context"
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
)

// tellAsked adds to the answer what the app's code has changed.
func (w *writing) tellAsked() {
	if w.asked == nil || w.asked.told == nil {
		return
	}
	for i := range w.edits {
		// parse-server's code sees, and stores, the whole of a field of which the body names a place.
		if e := &w.edits[i]; e.path != nil && e.kind != relation {
			w.answer.set(e.root, w.row[e.root])
		}
	}
	for _, name := range w.asked.told.Names {
		v := w.asked.told.Values[name]
		if _, there := w.answer.values[name]; there {
			continue
		}
		if op, ok := v.(map[string]any); ok && op["__op"] != nil && !isDelete(v) {
			continue
		}
		w.answer.set(name, v)
	}
}

// shows reports whether AfterSave is told of the object as it was stored.
func (w *writing) shows() bool {
	return w.request != nil && w.asked != nil && w.asked.set.Has(trigger.AfterSave)
}

// show keeps what AfterSave is told of the object as it was stored.
// As in parse-server that is what the caller may see of it, and what was written.
func (w *writing) show() error {
	if !w.shows() {
		return nil
	}
	all, err := w.reads.ForTrigger(w.ctx, w.tx, &auth.Auth{Caller: auth.Caller{Master: true}}, w.name, w.id)
	if err != nil {
		return err
	}
	named := func(field string) bool {
		return slices.ContainsFunc(w.edits, func(e edit) bool { return e.root == field })
	}
	if w.old == nil {
		for field, v := range all {
			if _, isRelation := v.(query.Relation); isRelation && !named(field) {
				delete(all, field)
			}
		}
	} else {
		seen, err := w.reads.ForTrigger(w.ctx, w.tx, w.a, w.name, w.id)
		if err != nil {
			return err
		}
		for field := range all {
			if _, may := seen[field]; !may && !named(field) {
				delete(all, field)
			}
		}
	}
	w.asked.shown, w.asked.hidden = all, w.hidden()
	return nil
}

// afterwards runs the after-trigger of a write that is committed. Within a transaction that is left for its end.
func (p *Path) afterwards(ctx context.Context, asked *Asked, kind trigger.Kind, res *Result, err error) (*Result, error) {
	if e := parseerror.From(err); asked != nil && asked.refused && e != nil && e.Code == parseerror.EmailNotFound && !storage.Inside(ctx) {
		_ = p.runAfter(ctx, asked, kind, &Result{Body: []byte("{}")}) // it logs its error
	}
	if asked == nil || err != nil || res.Repeated || asked.shown == nil || !asked.set.Has(kind) {
		return res, err
	}
	if storage.Inside(ctx) {
		storage.AfterCommit(ctx, func() {
			if err := p.runAfter(storage.Outside(ctx), asked, kind, res); err != nil {
				p.o.Logger.Warn("an error of a trigger that ran after a transaction reaches nobody", "trigger", kind.String(), "error", err)
			}
		})
		return res, nil
	}
	return res, p.runAfter(ctx, asked, kind, res)
}

// runAfter runs an after-trigger, and puts what AfterSave says into the answer.
func (p *Path) runAfter(ctx context.Context, asked *Asked, kind trigger.Kind, res *Result) error {
	if !asked.set.Has(kind) {
		return nil
	}
	ask := asked.ask.Then(kind)
	ask.Original = asked.ask.Original
	if kind == trigger.AfterDelete {
		ask.Object = trigger.Found(ask.Class, asked.shown)
		return p.code.Run(ctx, ask)
	}
	body, err := query.DecodeObject(res.Body)
	if err != nil {
		return nil //nolint:nilerr // an answer that is no object says nothing of an object
	}
	if token, there := body.Values["sessionToken"]; there && ask.Class == schema.User {
		asked.shown["sessionToken"] = token
	}
	var was map[string]any
	if ask.Original != nil {
		was = ask.Original.Values()
	}
	ask.Object = trigger.NewObject(ask.Class, was)
	ask.Object.Saved(asked.shown)
	if err := p.code.Run(ctx, ask); err != nil {
		// It is done, whatever the code says of it.
		p.o.Logger.Warn("an afterSave trigger failed", "class", ask.Class, "error", err)
		return nil
	}
	if ask.Result != nil {
		if m, ok := ask.Result.(map[string]any); ok {
			maps.DeleteFunc(m, func(field string, _ any) bool { return asked.hidden[field] })
		}
		p.tell(asked, res, query.AppendJSON(nil, ask.Result))
		return nil
	}
	add := func(name string, v any) {
		if asked.hidden[name] {
			return
		}
		if _, there := body.Values[name]; !there {
			body.Names = append(body.Names, name)
		}
		body.Values[name] = v
	}
	for _, name := range asked.relations {
		if v, ok := ask.Object.Get(name).(query.Relation); ok && was[name] == nil {
			add(name, v)
		}
	}
	if ask.Class == schema.User && asked.shown["username"] != nil {
		add("username", ask.Object.Get("username")) // parse-server always tells it where there is an afterSave
	}
	names, _, _ := ask.Object.Changes()
	for _, name := range names {
		if v := ask.Object.Get(name); v != nil {
			add(name, v)
		}
	}
	p.tell(asked, res, appendObject(nil, body.Names, body.Values))
	return nil
}

// tell answers with what AfterSave has made of the answer, if there is room for it.
func (p *Path) tell(asked *Asked, res *Result, body []byte) {
	if !asked.fits(body) {
		p.o.Logger.Warn("what an afterSave trigger says is left out: the answers are too large together", "class", asked.ask.Class)
		return
	}
	res.Body = body
}
