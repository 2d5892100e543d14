package cloud

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
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

func noFunction(name string) error {
	return parseerror.New(codeHook, "no function named: %s is defined", name)
}

// maxHooks bounds a list.
const maxHooks = 1000

// find calls each with the webhooks that satisfy where.
func find(ctx context.Context, s storage.Snapshot, where query.Expr, each func(id string, h Hook)) error {
	sch, err := s.Schema(ctx)
	if err != nil {
		return err
	}
	return s.Find(ctx, &storage.Find{Schema: sch, Class: sch.Class(schema.Hooks), Where: where, Limit: maxHooks}, func(r storage.Row) error {
		o, err := r.Object()
		if err != nil {
			return err
		}
		text := func(field string) string {
			s, _ := o[field].(string)
			return s
		}
		each(r.ObjectID(), Hook{text("functionName"), text("className"), text("triggerName"), text("url")})
		return nil
	})
}

func equal(field, v string) query.Expr {
	return &query.Compare{Path: query.Path(field), Op: query.Eq, Value: v}
}

// same is the condition that finds a webhook by what it is for.
func (h Hook) same() query.Expr {
	if h.FunctionName != "" {
		return equal("functionName", h.FunctionName)
	}
	return query.And{equal("className", h.ClassName), equal("triggerName", h.TriggerName)}
}

// Function returns the webhook of a function.
func (c *Cloud) Function(ctx context.Context, name string) (Hook, error) {
	var out Hook
	err := c.store.Read(ctx, func(s storage.Snapshot) error {
		out = Hook{}
		return find(ctx, s, equal("functionName", name), func(_ string, h Hook) { out = h })
	})
	if err == nil && out.URL == "" {
		err = errNoHook
	}
	return out, err
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
		return find(ctx, s, &query.Exists{Path: query.Path(field), Want: true}, func(_ string, h Hook) { out = append(out, h) })
	})
	return out, err
}

// Create registers the webhook of a function that has none. id is the write id.
func (c *Cloud) Create(ctx context.Context, h Hook, id string) error {
	return c.put(ctx, h, id, func(known string) error {
		if known != "" {
			return parseerror.New(codeHook, "function name: %s already exists", h.FunctionName)
		}
		return nil
	})
}

// Update changes the webhook of a function.
func (c *Cloud) Update(ctx context.Context, h Hook, id string) error {
	return c.put(ctx, h, id, func(known string) error {
		if known == "" {
			return noFunction(h.FunctionName)
		}
		return nil
	})
}

// put stores a webhook unless check refuses; known is the id of its row, "" if there is none.
func (c *Cloud) put(ctx context.Context, h Hook, id string, check func(known string) error) error {
	if !validName(h.FunctionName) || !validURL(h.URL) {
		return invalidHook()
	}
	_, _, err := c.store.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
		class, known, err := locate(ctx, tx, h)
		if err == nil {
			err = check(known)
		}
		if err != nil {
			return nil, err
		}
		if known != "" {
			tx.Emit(change.Change{Class: schema.Hooks, ObjectID: known, Kind: change.Update})
			return nil, tx.Update(ctx, class, known, storage.Object{"url": h.URL})
		}
		row := rand.Text()[:10]
		now := query.Date{Time: time.Now().UTC().Truncate(time.Millisecond)}
		tx.Emit(change.Change{Class: schema.Hooks, ObjectID: row, Kind: change.Create})
		return nil, tx.Insert(ctx, class, storage.Object{"objectId": row, "createdAt": now, "updatedAt": now, "functionName": h.FunctionName, "url": h.URL})
	})
	return err
}

// locate returns the class of webhooks, which it makes if it has no table yet, and the id of h's row.
func locate(ctx context.Context, tx storage.Tx, h Hook) (class *schema.Class, known string, err error) {
	sch, err := tx.Schema(ctx)
	if err != nil {
		return nil, "", err
	}
	if class = sch.Class(schema.Hooks); class == nil || len(class.Columns) == 0 {
		if class, err = tx.PutClass(ctx, schema.New(schema.Hooks, nil)); err != nil {
			return nil, "", err
		}
	}
	err = find(ctx, tx, h.same(), func(id string, _ Hook) { known = id })
	return class, known, err
}

// Remove takes a webhook away. One that isn't there is error 101.
func (c *Cloud) Remove(ctx context.Context, h Hook, id string) error {
	_, _, err := c.store.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
		class, known, err := locate(ctx, tx, h)
		if err != nil {
			return nil, err
		}
		if known == "" {
			return nil, parseerror.NotFound()
		}
		tx.Emit(change.Change{Class: schema.Hooks, ObjectID: known, Kind: change.Delete})
		return nil, tx.Delete(ctx, class, known)
	})
	return err
}

// validURL accepts absolute addresses of web servers.
func validURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(s) <= 2048
}

// Explain turns the error of Function into the client's.
func Explain(name string, err error) error {
	if errors.Is(err, errNoHook) {
		return noFunction(name)
	}
	return err
}

// CheckTriggers refuses a database whose webhooks for triggers would go uncalled: they may be what keeps its data valid.
func (c *Cloud) CheckTriggers(ctx context.Context) error {
	all, err := c.Hooks(ctx, true)
	if err != nil || len(all) == 0 {
		return err
	}
	return fmt.Errorf("the database has %d webhooks for triggers, the first is %s of class %s, which this server doesn't call yet; remove them, or keep such requests on parse-server for Node behind the gateway",
		len(all), all[0].TriggerName, all[0].ClassName)
}
