package cloud

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/trigger"
)

// TestWebhookBounds checks that a webhook takes neither all time nor all memory, and that what is wrong with it stays in
// the log.
func TestWebhookBounds(t *testing.T) {
	done := make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-done
			return
		}
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range maxAnswer>>20 + 1 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	defer hook.Close()
	defer close(done)
	var log bytes.Buffer
	c := New(nil, "the key", slog.New(slog.NewTextHandler(&log, nil)))
	if c.client.Timeout != hookTimeout {
		t.Errorf("a webhook may take %v", c.client.Timeout)
	}
	for path, reason := range map[string]string{"/slow": "no answer", "/long": "its answer is too long"} {
		if c.client.Timeout = 10 * time.Second; path == "/slow" {
			c.client.Timeout = 50 * time.Millisecond
		}
		err := c.postTrigger(t.Context(), hook.URL+path, &trigger.Request{Kind: trigger.BeforeDelete, Class: "A", Object: trigger.NewObject("A", nil)})
		if err == nil || err.Error() != "The webhook of the trigger can't be reached." || !strings.Contains(log.String(), reason) {
			t.Errorf("%s: %v; log %s", path, err, log.String())
		}
	}
	if strings.Contains(log.String(), "the key") {
		t.Error("the log tells the key")
	}
}
