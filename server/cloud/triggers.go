package cloud

import (
	"context"
	"fmt"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
)

// TriggerRequest is what a trigger is called with, Object an object in it, and Query what a find asks for.
type (
	TriggerRequest = trigger.Request
	File           = trigger.File
	Object         = trigger.Object
	Query          = trigger.Query
)

// Files and Config are the classes of the triggers of files, which have a TriggerRequest with a File, and of those of the
// app's configuration, in whose Object the fields are its parameters.
const (
	Files  = trigger.FileClass
	Config = trigger.ConfigClass
)

// Trigger is a trigger in Go. A *parseerror.Error reaches the client as it is, any other error as code 141 with its text;
// that of AfterSave is logged. A trigger may be called by several goroutines at a time, and more than once for one
// write: where a gateway repeats a write whose worker died.
type Trigger func(ctx context.Context, r *TriggerRequest) error

type definedTrigger struct {
	t Trigger
	v Validator
}

// BeforeSave runs the trigger before objects of a class are created and updated. What it changes of the object is
// stored, and an error refuses the write. It takes the place of a webhook, and of an earlier trigger; so do all the others.
func (c *Cloud) BeforeSave(class string, t Trigger, v Validator) error {
	return c.on(trigger.BeforeSave, class, t, v)
}

// AfterSave runs the trigger once a write is committed. The client waits for it. What it changes of the object, or sets as
// Result, only the client reads.
func (c *Cloud) AfterSave(class string, t Trigger, v Validator) error {
	return c.on(trigger.AfterSave, class, t, v)
}

// BeforeDelete runs the trigger before objects of a class are deleted. An error refuses that.
func (c *Cloud) BeforeDelete(class string, t Trigger, v Validator) error {
	return c.on(trigger.BeforeDelete, class, t, v)
}

// AfterDelete runs the trigger once the deletion is committed. Its error reaches the client all the same.
func (c *Cloud) AfterDelete(class string, t Trigger, v Validator) error {
	return c.on(trigger.AfterDelete, class, t, v)
}

// BeforeFind runs the trigger before objects of a class are looked for, be it by finds, gets, as included objects or in
// sub-queries. It may change the query, answer it by itself or refuse it.
func (c *Cloud) BeforeFind(class string, t Trigger, v Validator) error {
	return c.on(trigger.BeforeFind, class, t, v)
}

// AfterFind runs the trigger on what was found. It may change it.
func (c *Cloud) AfterFind(class string, t Trigger, v Validator) error {
	return c.on(trigger.AfterFind, class, t, v)
}

// BeforeLogin runs the trigger once a user has proved to be that user, and before a session is opened. An error refuses
// the log-in.
func (c *Cloud) BeforeLogin(t Trigger) error {
	return c.on(trigger.BeforeLogin, "_User", t, Validator{})
}

// AfterLogin runs the trigger after a log-in by password. Its error reaches the client; the session stays.
func (c *Cloud) AfterLogin(t Trigger) error {
	return c.on(trigger.AfterLogin, "_User", t, Validator{})
}

// AfterLogout runs the trigger after a session was ended by a log-out; Object is the session.
func (c *Cloud) AfterLogout(t Trigger) error {
	return c.on(trigger.AfterLogout, "_Session", t, Validator{})
}

// BeforePasswordResetRequest runs the trigger before a user is sent a link to reset the password. An error refuses that.
func (c *Cloud) BeforePasswordResetRequest(t Trigger) error {
	return c.on(trigger.BeforePasswordResetRequest, "_User", t, Validator{})
}

func (c *Cloud) on(kind trigger.Kind, class string, t Trigger, v Validator) error {
	if !validName(class) || t == nil {
		return fmt.Errorf("cannot set a %s trigger of class %q: it needs the name of a class, and a function", kind, class)
	}
	if err := trigger.CheckClass(kind, class); err != nil {
		return fmt.Errorf("cannot set a %s trigger of class %q: %w", kind, class, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.triggers[place{class, kind}] = definedTrigger{t, v}
	c.sets[class] |= trigger.Of(kind)
	return nil
}

// Triggers implements trigger.Code.
func (c *Cloud) Triggers(ctx context.Context, class string) (trigger.Set, error) {
	hooks, err := c.hooks.get(ctx)
	if err != nil {
		return 0, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return hooks.sets[class] | c.sets[class], nil
}

// Finding implements trigger.Code.
func (c *Cloud) Finding(ctx context.Context) (bool, error) {
	hooks, err := c.hooks.get(ctx)
	if err != nil {
		return false, err
	}
	if hooks.finding {
		return true, nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for class, set := range c.sets {
		if set&trigger.Finds != 0 && class != Files {
			return true, nil
		}
	}
	return false, nil
}

// Run implements trigger.Code. Nobody waits for an app's code while a transaction is open: there may be one writer only. Of
// what is done the code learns also when the client is gone meanwhile.
func (c *Cloud) Run(ctx context.Context, r *trigger.Request) error {
	if storage.Inside(ctx) {
		return parseerror.New(parseerror.CommandUnavailable, "The %s trigger of class %s can't run within a transaction.", r.Kind, r.Class)
	}
	if trigger.Told.Has(r.Kind) {
		ctx = context.WithoutCancel(ctx)
	}
	r.Log = c.log
	c.mu.RLock()
	d, ok := c.triggers[place{r.Class, r.Kind}]
	c.mu.RUnlock()
	if !ok {
		hooks, err := c.hooks.get(ctx)
		if err != nil {
			return err
		}
		if url := hooks.urls[place{r.Class, r.Kind}]; url != "" {
			return c.postTrigger(ctx, url, r)
		}
		return nil
	}
	if err := d.v.checkTrigger(r); err != nil {
		return err
	}
	if d.v.SkipWithMasterKey && r.Master {
		return nil
	}
	return guard(c.log, r.Kind.String(), r.Class, r.ErrorCode, func() error { return d.t(ctx, r) })
}

// NewObject returns an object of a class for BeforeFind to answer with; values are as it is stored, nil for one that isn't.
func NewObject(class string, values map[string]any) *Object { return trigger.NewObject(class, values) }
