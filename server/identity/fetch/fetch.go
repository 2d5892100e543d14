// Package fetch asks auth providers over HTTP: with a time-out, a bound on what is read, and no following of redirects to
// other hosts.
//
// It must not know what is asked.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
)

// maxRedirects is how many redirects within one host are followed.
const maxRedirects = 3

// Options are the options of a Client.
type Options struct {
	// Timeout bounds a request and its answer. Default: 5 s.
	Timeout time.Duration
	// MaxBody bounds an answer, in bytes. Default: 1 MiB.
	MaxBody int64
	// Transport does the requests. Default: http.DefaultTransport's settings, with connections of its own.
	Transport http.RoundTripper
}

// Client asks providers. It is safe for concurrent use.
type Client struct {
	http    http.Client
	maxBody int64
}

// New returns a Client.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	}
	return &Client{maxBody: o.MaxBody, http: http.Client{Transport: o.Transport, Timeout: o.Timeout, CheckRedirect: sameHost}}
}

// sameHost refuses redirects to other hosts: requests carry secrets, and answers are believed for their host's sake.
func sameHost(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case r.URL.Host != first.Host || r.URL.Scheme != first.Scheme:
		return errors.New("redirected to another host")
	case len(via) > maxRedirects:
		return errors.New("redirected too often")
	}
	return nil
}

// JSON sends a request and decodes the answer, whatever its status, which is returned. The errors don't hold the address,
// which may hold a token.
func (c *Client) JSON(ctx context.Context, r *http.Request, into any) (status int, err error) {
	res, err := c.http.Do(r.WithContext(ctx))
	if err != nil {
		return 0, fmt.Errorf("cannot ask %s: %w", r.URL.Host, withoutURL(err))
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.maxBody+1))
	if err != nil {
		return res.StatusCode, fmt.Errorf("cannot read the answer of %s: %w", r.URL.Host, withoutURL(err))
	}
	if int64(len(body)) > c.maxBody {
		return res.StatusCode, fmt.Errorf("cannot read the answer of %s: it is longer than %d bytes", r.URL.Host, c.maxBody)
	}
	if err := json.Unmarshal(body, into); err != nil {
		// The answer may hold secrets: its text stays out of the error.
		return res.StatusCode, fmt.Errorf("%w: %s, status %d", ErrNotJSON, r.URL.Host, res.StatusCode)
	}
	return res.StatusCode, nil
}

// ErrNotJSON: the answer isn't the JSON that was expected.
var ErrNotJSON = errors.New("the answer isn't the JSON it should be")

// withoutURL takes the address, with its query string, out of an error of package http.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
