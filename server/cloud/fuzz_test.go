package cloud

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/trigger"
)

// FuzzWebhookAnswer has webhooks answer anything: it is an error or leaves a request that can be gone on with.
func FuzzWebhookAnswer(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"success":{"a":1}}`, `{"success":[]}`, `{"success":[{"className":5}]}`, `{"error":{"message":"m"}}`, `{"success":{"a.b":{"__op":"Delete"},"":null}}`, `[`, `{"success":[null]}`} {
		f.Add([]byte(s), uint8(trigger.BeforeSave))
		f.Add([]byte(s), uint8(trigger.AfterFind))
	}
	var say []byte
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(say)
	}))
	f.Cleanup(hook.Close)
	c := New(nil, "", slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, answer []byte, kind uint8) {
		say = answer
		q, err := trigger.NewQuery(query.Params{})
		if err != nil {
			t.Fatal(err)
		}
		r := &trigger.Request{Kind: trigger.Kind(kind) % (trigger.AfterFind + 1), Class: "A", Query: q, Object: trigger.NewObject("A", map[string]any{"objectId": "x", "a": 1.0})}
		if c.postTrigger(t.Context(), hook.URL, r) != nil {
			return
		}
		names, ops, _ := r.Object.Changes()
		for _, n := range names {
			if _, ok := ops[n]; !ok {
				t.Errorf("%q changes to nothing", n)
			}
		}
		for _, o := range r.Objects {
			if _, err := query.DecodeObject(query.AppendJSON(nil, o.JSON())); err != nil {
				t.Error(err)
			}
		}
	})
}
