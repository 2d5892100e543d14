package caddymodule

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// wanted is what a webhook is told.
type wanted struct {
	App     string  `json:"app"`
	Desired int     `json:"desired"`
	Ready   int     `json:"ready"`
	Min     int     `json:"min"`
	Max     int     `json:"max"`
	Load    float64 `json:"load"`
	Panic   bool    `json:"panic"`
}

// webhookTimeout bounds the telling.
const webhookTimeout = 5 * time.Second

// SignatureHeader is the header in which a webhook finds "sha256=" and the HMAC-SHA256 of the body, in hexadecimal digits.
const SignatureHeader = "X-Parsescale-Signature"

// webhook tells another service how many workers there should be: at first, and at each change. What couldn't be told is
// told at the next decision, as it is then.
type webhook struct {
	url    string
	key    string
	log    *slog.Logger
	client *http.Client

	busy atomic.Bool
	told atomic.Int64 // the number that it knows; 0: none, or nobody knows, as after a failure
	fail atomic.Bool  // the last attempt failed
}

func newWebhook(url, key string, log *slog.Logger) *webhook {
	return &webhook{url: url, key: key, log: log, client: &http.Client{
		Timeout:       webhookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// tell sends, in the background, unless the receiver knows the number or is being told one.
func (h *webhook) tell(w wanted) {
	if h.told.Load() == int64(w.Desired) || !h.busy.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer h.busy.Store(false)
		h.told.Store(0) // it may act on this number though its answer is a failure
		if err := h.send(w); err != nil {
			if !h.fail.Swap(true) { // once per outage
				h.log.Warn("cannot tell the webhook how many workers are wanted; it is tried again", "desired", w.Desired, "error", err)
			}
			return
		}
		h.fail.Store(false)
		h.told.Store(int64(w.Desired))
	}()
}

func (h *webhook) send(w wanted) error {
	body, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("cannot encode the message: %w", err)
	}
	req, err := http.NewRequest(http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return errWebhook // the address may hold a secret
	}
	req.Header.Set("Content-Type", "application/json")
	if h.key != "" {
		mac := hmac.New(sha256.New, []byte(h.key))
		mac.Write(body)
		req.Header.Set(SignatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	res, err := h.client.Do(req)
	if err != nil {
		return errWebhook
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", res.Status)
	}
	return nil
}

var errWebhook = fmt.Errorf("it could not be reached within %s", webhookTimeout)
