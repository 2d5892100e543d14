package read_test

import (
	"context"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// lavish is code that answers finds with many objects.
type lavish struct {
	kind    trigger.Kind
	objects int
}

func (l *lavish) Triggers(context.Context, string) (trigger.Set, error) {
	return trigger.Of(l.kind), nil
}

func (l *lavish) Finding(context.Context) (bool, error) { return true, nil }

func (l *lavish) Run(_ context.Context, r *trigger.Request) error {
	r.Objects = nil
	for range l.objects {
		r.Objects = append(r.Objects, trigger.Found("A", map[string]any{"s": strings.Repeat("x", 1000)}))
	}
	return nil
}

// TestTriggersAnswerIsBounded: what the code answers finds with is bounded as what the database does.
func TestTriggersAnswerIsBounded(t *testing.T) {
	for _, kind := range []trigger.Kind{trigger.BeforeFind, trigger.AfterFind} {
		code := &lavish{kind: kind}
		a := apptest.New(t, func(o *apptest.Options) { o.Read.MaxAnswer, o.Read.Code = 10_000, code })
		if _, err := a.Writes.Create(t.Context(), auth.Caller{Master: true}, "A", []byte(`{"n":1}`), ""); err != nil {
			t.Fatal(err)
		}
		for objects, fits := range map[int]bool{9: true, 10: false, 1000: false} {
			code.objects = objects
			res, err := a.Reads.Find(t.Context(), auth.Caller{Master: true}, &query.Query{Class: "A", Limit: 100})
			e := parseerror.From(err)
			if fits != (err == nil) || !fits && (e == nil || e.Code != parseerror.InvalidQuery) {
				t.Errorf("%v with %d objects: %v", kind, objects, err)
			}
			if fits && strings.Count(string(res.Body), "xxx\"") != objects {
				t.Errorf("%v with %d objects: %d bytes", kind, objects, len(res.Body))
			}
		}
	}
}
