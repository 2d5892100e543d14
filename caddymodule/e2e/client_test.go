package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// client speaks plain HTTP to a gateway. It never repeats a request, and takes no answer for granted.
type client struct {
	base   string
	http   *http.Client
	header map[string]string
	door   int // which of several gateways it speaks to
}

// newClient returns a client with the app's id and REST key, and connections of its own.
func newClient(t *testing.T, base string) *client {
	t.Helper()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{
		base:   base,
		http:   &http.Client{Transport: transport, Timeout: 30 * time.Second},
		header: map[string]string{"X-Parse-Application-Id": appID, "X-Parse-REST-API-Key": restKey},
	}
}

// with returns a copy that also sends the headers; a value of "" takes one away.
func (c *client) with(pairs ...string) *client {
	copied := *c
	copied.header = make(map[string]string, len(c.header)+len(pairs)/2)
	for name, value := range c.header {
		copied.header[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		delete(copied.header, pairs[i])
		if pairs[i+1] != "" {
			copied.header[pairs[i]] = pairs[i+1]
		}
	}
	return &copied
}

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends one request. An error means that no whole answer came. The body is one that net/http can't send twice: else
// it would by itself repeat a GET whose connection broke, and hide that.
func (c *client) do(method, path, body string) (answer, error) {
	return c.doContext(context.Background(), method, path, body)
}

// doContext is do for a client that may lose patience.
func (c *client) doContext(ctx context.Context, method, path, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return answer{}, err
	}
	req.ContentLength = int64(len(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		req.Header[name] = []string{value} // as it is spelt
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, fmt.Errorf("the answer ended early: %w", err)
	}
	return answer{res.StatusCode, res.Header, string(read)}, nil
}

// must is do for a request that has to succeed; out, if not nil, receives the decoded body.
func (c *client) must(t *testing.T, method, path, body string, out any) answer {
	t.Helper()
	a, err := c.do(method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status/100 != 2 {
		t.Fatalf("%s %s: status %d: %s", method, path, a.status, a.body)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return a
}

// create makes an object and returns its id.
func (c *client) create(t *testing.T, class, body string) string {
	t.Helper()
	var made struct{ ObjectID string }
	a := c.must(t, "POST", "/classes/"+class, body, &made)
	if a.status != http.StatusCreated || made.ObjectID == "" {
		t.Fatalf("create: status %d: %s", a.status, a.body)
	}
	return made.ObjectID
}

// where is the path of a find.
func where(class, where string, more ...string) string {
	path := "/classes/" + class + "?where=" + url.QueryEscape(where)
	for _, m := range more {
		path += "&" + m
	}
	return path
}

// What Cache-Status says of an answer.
const (
	hit      = "hit"      // from the cache
	miss     = "miss"     // from a worker, for want of a stored answer
	asked    = "asked"    // from a worker, because the client asked for that
	bypassed = "bypassed" // not a matter of the cache
)

// stored asks until the answer comes from the cache, and returns that answer. Right after a write the first answer may not
// be kept: the gateway hears from the worker that the write is over only after the client has its answer.
func (c *client) stored(t *testing.T, path string) answer {
	t.Helper()
	for range 100 {
		a, err := c.do("GET", path, "")
		if err != nil {
			t.Fatalf("GET %s: %v", path, err)
		}
		if a.verdict() == hit {
			return a
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("GET %s: asked 100 times and never answered from the cache", path)
	return answer{}
}

// verdict reads Cache-Status (RFC 9211).
func (a answer) verdict() string {
	rest, ok := strings.CutPrefix(a.header.Get("Cache-Status"), "parsescale; ")
	if !ok {
		return "no Cache-Status of parsescale: " + a.header.Get("Cache-Status")
	}
	first, _, _ := strings.Cut(rest, ";")
	switch first {
	case "hit":
		return hit
	case "fwd=miss":
		return miss
	case "fwd=request":
		return asked
	case "fwd=bypass", "fwd=method":
		return bypassed
	}
	return rest
}
