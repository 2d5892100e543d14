package cloud

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
)

// Hook is a webhook of a function, or of a trigger of a class.
type Hook struct {
	FunctionName, ClassName, TriggerName, URL string
}

// codeHook is the code of every error about webhooks.
const codeHook = 143

// errNoHook: there is no such webhook.
var errNoHook = errors.New("no such webhook")

func invalidHook() error { return parseerror.New(codeHook, "invalid hook declaration") }

// unknown is the error about a webhook that isn't there.
func (h Hook) unknown() error {
	if h.FunctionName != "" {
		return parseerror.New(codeHook, "no function named: %s is defined", h.FunctionName)
	}
	return parseerror.New(codeHook, "class %s does not exist", h.ClassName)
}

// check reports what is wrong with a webhook.
func (h Hook) check() error {
	if !validURL(h.URL) {
		return invalidHook()
	}
	if h.FunctionName != "" {
		if !validName(h.FunctionName) {
			return invalidHook()
		}
		return nil
	}
	kind, ok := trigger.ParseKind(h.TriggerName)
	if !ok || !validName(h.ClassName) {
		return invalidHook()
	}
	if err := trigger.CheckClass(kind, h.ClassName); err != nil {
		return parseerror.New(codeHook, "%s", err.Error())
	}
	if h.ClassName == Config {
		return parseerror.New(codeHook, "Triggers of the configuration can't be webhooks.")
	}
	return nil
}

// maxHooks bounds a list.
const maxHooks = 1000

// find calls each with the webhooks that satisfy where.
func find(ctx context.Context, s storage.Snapshot, where query.Expr, each func(h Hook)) error {
	sch, err := s.Schema(ctx)
	if err != nil {
		return err
	}
	return s.Find(ctx, &storage.Find{Schema: sch, Class: sch.Class(schema.Hooks), Where: where, Limit: maxHooks + 1}, func(r storage.Row) error {
		o, err := r.Object()
		if err != nil {
			return err
		}
		text := func(field string) string {
			s, _ := o[field].(string)
			return s
		}
		each(Hook{text("functionName"), text("className"), text("triggerName"), text("url")})
		return nil
	})
}

// same reports whether two webhooks are for the same function or trigger.
func (h Hook) same(other Hook) bool {
	return h.FunctionName == other.FunctionName && h.ClassName == other.ClassName && h.TriggerName == other.TriggerName
}

// Function returns the webhook of a function.
func (c *Cloud) Function(ctx context.Context, name string) (Hook, error) {
	var out Hook
	err := c.store.Read(ctx, func(s storage.Snapshot) error {
		out = Hook{}
		return find(ctx, s, &query.Compare{Path: "functionName", Op: query.Eq, Value: name}, func(h Hook) { out = h })
	})
	if err == nil && out.URL == "" {
		err = errNoHook
	}
	return out, err
}

// Explain turns the error of Function into the client's.
func Explain(name string, err error) error {
	if errors.Is(err, errNoHook) {
		return Hook{FunctionName: name}.unknown()
	}
	return err
}

// Hooks lists the webhooks of functions, or of triggers.
func (c *Cloud) Hooks(ctx context.Context, triggers bool) ([]Hook, error) {
	field := "functionName"
	if triggers {
		field = "triggerName"
	}
	var out []Hook
	err := c.store.Read(ctx, func(s storage.Snapshot) error {
		out = nil
		return find(ctx, s, &query.Exists{Path: query.Path(field), Want: true}, func(h Hook) { out = append(out, h) })
	})
	return out, err
}

// Trigger returns the webhook of a trigger.
func (c *Cloud) Trigger(ctx context.Context, class, name string) (Hook, error) {
	want, out := Hook{ClassName: class, TriggerName: name}, Hook{}
	all, err := c.Hooks(ctx, true)
	for _, h := range all {
		if h.same(want) {
			out = h
		}
	}
	if err == nil && out.URL == "" {
		err = want.unknown()
	}
	return out, err
}

// Create registers the webhook of a function or trigger that has none. id is the write id.
func (c *Cloud) Create(ctx context.Context, h Hook, id string) error {
	return c.put(ctx, h, id, func(known bool) error {
		switch {
		case !known:
			return nil
		case h.FunctionName != "":
			return parseerror.New(codeHook, "function name: %s already exists", h.FunctionName)
		}
		return parseerror.New(codeHook, "class %s already has trigger %s", h.ClassName, h.TriggerName)
	})
}

// Update changes the webhook of a function or trigger.
func (c *Cloud) Update(ctx context.Context, h Hook, id string) error {
	return c.put(ctx, h, id, func(known bool) error {
		if !known {
			return h.unknown()
		}
		return nil
	})
}

// put stores a webhook unless check refuses; known says whether there is one for the same function or trigger already.
func (c *Cloud) put(ctx context.Context, h Hook, id string, check func(known bool) error) error {
	if err := h.check(); err != nil {
		return err
	}
	return c.change(ctx, h, id, func(all []Hook) ([]Hook, error) {
		i := slices.IndexFunc(all, h.same)
		if err := check(i >= 0); err != nil {
			return nil, err
		}
		if i < 0 {
			return append(all, h), nil
		}
		all[i] = h
		return all, nil
	})
}

// change replaces the webhooks by what f makes of them. On PostgreSQL parse-server's table has no ids by which single rows
// could be changed, so the few there are are written anew; the lock keeps others from doing so at the same time.
func (c *Cloud) change(ctx context.Context, h Hook, id string, f func([]Hook) ([]Hook, error)) error {
	defer c.hooks.forget()
	kind, ok := trigger.ParseKind(h.TriggerName)
	finds := ok && trigger.Finds.Has(kind)
	_, _, err := c.store.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
		sch, err := tx.LockSchema(ctx)
		if err != nil {
			return nil, err
		}
		class := sch.Class(schema.Hooks)
		if class == nil || len(class.Columns) == 0 {
			if class, err = tx.PutClass(ctx, schema.New(schema.Hooks, nil)); err != nil {
				return nil, err
			}
		}
		var all []Hook
		if err := find(ctx, tx, nil, func(h Hook) { all = append(all, h) }); err != nil {
			return nil, err
		}
		tooMany := len(all) > maxHooks // not all of them were read
		if all, err = f(all); err != nil {
			return nil, err
		}
		if tooMany || len(all) > maxHooks {
			return nil, parseerror.New(codeHook, "There are too many webhooks.")
		}
		if err := tx.Purge(ctx, class); err != nil {
			return nil, err
		}
		for _, h := range all {
			if err := tx.Insert(ctx, class, h.row(class)); err != nil {
				return nil, err
			}
		}
		tx.Emit(change.Change{Class: schema.Hooks, Kind: change.Purge})
		if finds {
			// Nothing that was found before tells what will be found now.
			tx.Emit(change.Change{Class: h.ClassName, Kind: change.Schema})
		}
		return nil, nil
	})
	if err == nil && finds {
		c.tellAgain(h.ClassName)
	}
	return err
}

// tellAgain gives up what is kept of a class's finds once every worker knows its triggers: until then another one may have
// answered by what it knew.
func (c *Cloud) tellAgain(class string) {
	time.AfterFunc(2*hookAge, func() {
		ctx, cancel := context.WithTimeout(context.Background(), hookTimeout)
		defer cancel()
		_, _, err := c.store.Write(ctx, "", func(tx storage.Tx) ([]byte, error) {
			tx.Emit(change.Change{Class: class, Kind: change.Schema})
			return nil, nil
		})
		if err != nil && !errors.Is(err, storage.ErrClosed) {
			c.log.Warn("finds that are kept elsewhere may not know of a trigger", "class", class, "error", err)
		}
	})
}

// row is the webhook as its class has columns for it.
func (h Hook) row(class *schema.Class) storage.Object {
	now := query.Date{Time: time.Now().UTC().Truncate(time.Millisecond)}
	o := storage.Object{"objectId": rand.Text()[:10], "createdAt": now, "updatedAt": now}
	for column := range o {
		if _, ok := class.Column(column); !ok {
			delete(o, column)
		}
	}
	for column, v := range map[string]string{"functionName": h.FunctionName, "className": h.ClassName, "triggerName": h.TriggerName, "url": h.URL} {
		if v != "" {
			o[column] = v
		}
	}
	return o
}

// Remove takes a webhook away. One that isn't there is error 101.
func (c *Cloud) Remove(ctx context.Context, h Hook, id string) error {
	return c.change(ctx, h, id, func(all []Hook) ([]Hook, error) {
		rest := slices.DeleteFunc(slices.Clone(all), h.same)
		if len(rest) == len(all) {
			return nil, parseerror.NotFound()
		}
		return rest, nil
	})
}

// validURL accepts absolute addresses of web servers.
func validURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(s) <= 2048
}

// CheckTriggers refuses a database with webhooks for triggers that would go uncalled: they may be what keeps its data valid.
func (c *Cloud) CheckTriggers(ctx context.Context) error {
	all, err := c.Hooks(ctx, true)
	for _, h := range all {
		if h.ClassName == Config {
			return fmt.Errorf("the database has a webhook for the trigger %s of %s, which can't be one; remove it", h.TriggerName, h.ClassName)
		}
	}
	return err
}
