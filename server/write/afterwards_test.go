package write_test

import (
	"context"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/users/apptest"
	"github.com/parsescale/parsescale/server/write"
)

// talkative is code whose AfterSave answers with 1,000 bytes and more.
type talkative struct{}

func (talkative) Triggers(context.Context, string) (trigger.Set, error) {
	return trigger.Of(trigger.AfterSave), nil
}

func (talkative) Finding(context.Context) (bool, error) { return false, nil }

func (talkative) Run(_ context.Context, r *trigger.Request) error {
	r.Result = map[string]any{"s": strings.Repeat("x", 1000)}
	return nil
}

// TestAfterSaveShares: what AfterSave makes of answers that are given together is bounded; an answer for which there is no
// room left is that of the write, which is done.
func TestAfterSaveShares(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Write.Code = talkative{} })
	master, body, room := auth.Caller{Master: true}, []byte(`{"n":1}`), 2500
	for i, told := range []bool{true, true, false, false} {
		asked, err := a.Writes.Ask(t.Context(), master, "create", "A", "", body)
		if err != nil {
			t.Fatal(err)
		}
		asked.Share(&room)
		res, err := a.Writes.Create(write.With(t.Context(), asked), master, "A", body, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(res.Body); strings.HasPrefix(got, `{"s":"xxx`) != told || strings.HasPrefix(got, `{"objectId":`) == told {
			t.Errorf("answer %d: %.40s", i, got)
		}
	}
	(*write.Asked)(nil).Share(&room)
}
