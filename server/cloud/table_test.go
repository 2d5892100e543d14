package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlite"
	"github.com/parsescale/parsescale/server/trigger"
)

func open(t *testing.T) storage.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{URI: "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "parse.db"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// counted counts the reads of a store, and fails them on demand.
type counted struct {
	storage.Store
	reads int
	err   error
}

func (c *counted) Read(ctx context.Context, f func(storage.Snapshot) error) error {
	c.reads++
	if c.err != nil {
		return c.err
	}
	return c.Store.Read(ctx, f)
}

func TestHookTable(t *testing.T) {
	store := &counted{Store: open(t)}
	c := New(store, "", slog.New(slog.DiscardHandler))
	clock := time.Unix(1000, 0)
	c.hooks.now = func() time.Time { return clock }
	has := func(class string) trigger.Set {
		t.Helper()
		set, err := c.Triggers(t.Context(), class)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	hook := Hook{ClassName: "A", TriggerName: "beforeFind", URL: "http://127.0.0.1:1/"}
	if has("A") != 0 || has("B") != 0 || has("A") != 0 || store.reads != 1 {
		t.Errorf("%d reads for what is known", store.reads)
	}
	if err := c.Create(t.Context(), hook, ""); err != nil {
		t.Fatal(err)
	}
	if has("A") != trigger.Of(trigger.BeforeFind) || has("B") != 0 {
		t.Error("what was registered here doesn't count at once")
	}
	if finding, err := c.Finding(t.Context()); !finding || err != nil {
		t.Error(finding, err)
	}
	// Another process registers one.
	other := New(store.Store, "", slog.New(slog.DiscardHandler))
	if err := other.Create(t.Context(), Hook{ClassName: "B", TriggerName: "afterSave", URL: "http://127.0.0.1:1/"}, ""); err != nil {
		t.Fatal(err)
	}
	reads := store.reads
	clock = clock.Add(hookAge)
	if has("B") != 0 || store.reads != reads {
		t.Error("the database is asked too often")
	}
	clock = clock.Add(time.Millisecond)
	if has("B") != trigger.Of(trigger.AfterSave) || store.reads != reads+1 {
		t.Error("what another process registered doesn't count in time")
	}
	// Without an answer of the database, nothing is taken to be unguarded.
	clock = clock.Add(time.Hour)
	store.err = errors.New("the database is away")
	if _, err := c.Triggers(t.Context(), "A"); err == nil {
		t.Error("old knowledge is taken for new")
	}
	store.err = nil
	if err := c.Remove(t.Context(), hook, ""); err != nil {
		t.Fatal(err)
	}
	if has("A") != 0 {
		t.Error("what was removed here still counts")
	}
}

// hanging is a store that answers no read before it is told to.
type hanging struct {
	storage.Store
	asked, answer chan struct{}
}

func (h hanging) Read(ctx context.Context, f func(storage.Snapshot) error) error {
	h.asked <- struct{}{}
	<-h.answer
	return h.Store.Read(ctx, f)
}

// TestHookTableWhileRead: who waits for another's reading waits no longer than for one's own.
func TestHookTableWhileRead(t *testing.T) {
	store := hanging{open(t), make(chan struct{}, 1), make(chan struct{})}
	c := New(store, "", slog.New(slog.DiscardHandler))
	first := make(chan error, 1)
	go func() {
		_, err := c.Triggers(context.Background(), "A")
		first <- err
	}()
	<-store.asked
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		_, err := c.Triggers(ctx, "A")
		second <- err
	}()
	cancel()
	select {
	case err := <-second:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("who has gone still waits")
	}
	close(store.answer)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestCodeBeforeWebhooks(t *testing.T) {
	c := New(open(t), "", slog.New(slog.DiscardHandler))
	if err := c.Create(t.Context(), Hook{ClassName: "A", TriggerName: "beforeSave", URL: "http://127.0.0.1:1/"}, ""); err != nil {
		t.Fatal(err)
	}
	r := &trigger.Request{Kind: trigger.BeforeSave, Class: "A", Object: trigger.NewObject("A", nil)}
	if err := c.Run(t.Context(), r); err == nil {
		t.Error("the webhook, which isn't there, agrees")
	}
	ran := false
	err := c.BeforeSave("A", func(context.Context, *TriggerRequest) error { ran = true; return nil }, Validator{})
	if err == nil {
		err = c.Run(t.Context(), r)
	}
	if err != nil || !ran {
		t.Errorf("the code ran: %v; %v", ran, err)
	}
}

// TestNoCodeInTransactions checks that no app code runs while a transaction is open.
func TestNoCodeInTransactions(t *testing.T) {
	store := open(t)
	c := New(storage.Joined(store), "", slog.New(slog.DiscardHandler))
	if err := c.BeforeSave("A", func(context.Context, *TriggerRequest) error { t.Error("it ran"); return nil }, Validator{}); err != nil {
		t.Fatal(err)
	}
	_, _, err := store.Write(t.Context(), "", func(tx storage.Tx) ([]byte, error) {
		within, _ := storage.Within(t.Context(), tx)
		return nil, c.Run(within, &trigger.Request{Kind: trigger.BeforeSave, Class: "A", Object: trigger.NewObject("A", nil)})
	})
	if err == nil || !strings.Contains(err.Error(), "within a transaction") {
		t.Error(err)
	}
}

// TestUncalledTriggers checks that a database isn't opened whose webhooks would go uncalled.
func TestUncalledTriggers(t *testing.T) {
	c := New(open(t), "", slog.New(slog.DiscardHandler))
	hook := Hook{ClassName: "A", TriggerName: "beforeSave", URL: "http://127.0.0.1:1/"}
	if err := errors.Join(c.Create(t.Context(), hook, ""), c.CheckTriggers(t.Context())); err != nil {
		t.Fatal(err)
	}
	hook.ClassName = Config // as parse-server has stored it
	err := c.change(t.Context(), hook, "", func(all []Hook) ([]Hook, error) { return append(all, hook), nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckTriggers(t.Context()); err == nil || !strings.Contains(err.Error(), "@Config") {
		t.Error(err)
	}
}

func TestWrongTriggers(t *testing.T) {
	nothing := func(context.Context, *TriggerRequest) error { return nil }
	c := New(open(t), "", slog.New(slog.DiscardHandler))
	for name, err := range map[string]error{
		"without code": c.BeforeSave("A", nil, Validator{}), "without a class": c.BeforeSave("", nothing, Validator{}), "of sessions": c.BeforeSave("_Session", nothing, Validator{}),
		"of pushes": c.BeforeSave("_PushStatus", nothing, Validator{}), "of files that log in": c.on(trigger.BeforeConnect, Files, nothing, Validator{}), "of finds of the configuration": c.BeforeFind(Config, nothing, Validator{}), "with a quote": c.AfterSave("a`b", nothing, Validator{}),
	} {
		if err == nil {
			t.Errorf("a trigger %s is taken", name)
		}
	}
}

// TestToldAllTheSame: a client who is gone doesn't keep the code from learning of what is done.
func TestToldAllTheSame(t *testing.T) {
	c := New(open(t), "", slog.New(slog.DiscardHandler))
	if _, err := c.Triggers(t.Context(), "A"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for kind, told := range map[trigger.Kind]bool{
		trigger.BeforeSave: false, trigger.BeforeDelete: false, trigger.AfterFind: false, trigger.AfterSave: true, trigger.AfterDelete: true,
	} {
		var seen error
		if err := c.on(kind, "A", func(ctx context.Context, _ *TriggerRequest) error { seen = ctx.Err(); return nil }, Validator{}); err != nil {
			t.Fatal(err)
		}
		if err := c.Run(ctx, &trigger.Request{Kind: kind, Class: "A"}); err != nil || (seen == nil) != told {
			t.Errorf("%s: %v, with a context that is %v", kind, err, seen)
		}
	}
}

// TestManyWebhooks: when there are as many as there can be, those that are there can be changed and go.
func TestManyWebhooks(t *testing.T) {
	store := open(t)
	c := New(store, "", slog.New(slog.DiscardHandler))
	hook := func(i int) Hook { return Hook{FunctionName: fmt.Sprintf("f%d", i), URL: "http://127.0.0.1:1/"} }
	if err := c.Create(t.Context(), hook(0), ""); err != nil {
		t.Fatal(err)
	}
	add := func(from, to int) {
		t.Helper()
		_, _, err := store.Write(t.Context(), "", func(tx storage.Tx) ([]byte, error) {
			sch, err := tx.Schema(t.Context())
			if err != nil {
				return nil, err
			}
			class := sch.Class(schema.Hooks)
			for i := from; i < to && err == nil; i++ {
				err = tx.Insert(t.Context(), class, hook(i).row(class))
			}
			return nil, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add(1, maxHooks)
	full := func(err error) bool { return err != nil && strings.Contains(err.Error(), "too many") }
	if err := c.Create(t.Context(), hook(maxHooks), ""); !full(err) {
		t.Errorf("one too many: %v", err)
	}
	if err := errors.Join(c.Update(t.Context(), hook(3), ""), c.Remove(t.Context(), hook(4), ""), c.Create(t.Context(), hook(maxHooks), "")); err != nil {
		t.Error(err)
	}
	// Another server on the database knows no bound. What can't be read whole isn't written anew.
	add(maxHooks+1, maxHooks+3)
	if err := c.Remove(t.Context(), hook(5), ""); !full(err) {
		t.Errorf("of more than there can be: %v", err)
	}
	if h, err := c.Function(t.Context(), "f5"); err != nil || h.URL == "" {
		t.Errorf("it is lost: %v", err)
	}
}
