package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHeaders(t *testing.T) {
	var got *http.Request
	w := newWorker(t, "unix", func(w http.ResponseWriter, r *http.Request) {
		got = r
		h := w.Header()
		h.Set("X-Parsescale-Reads", "A:1")
		h.Set("Connection", "X-Private")
		h.Set("X-Private", "1")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("ETag", `"e"`)
		h["Set-Cookie"] = []string{"a", "b"}
	})
	client := http.Header{
		"X-Parse-Session-Token": {"r:1"}, "Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Te": {"trailers"}, "Upgrade": {"h2c"},
		"Transfer-Encoding": {"chunked"}, "Proxy-Authorization": {"secret"}, "X-Parsescale-Client-Ip": {"6.6.6.6"}, "X-Forwarded-For": {"6.6.6.6"},
		"Expect": {"100-continue"}, "Accept": {"a", "b"},
	}
	before := client.Clone()
	for _, kind := range []Kind{Bundled, Remote} {
		t.Run(kind.String(), func(t *testing.T) {
			p := newPool(t, Options{}, w.target("w", kind))
			res, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/a%2Fb//c?where=%7B%7D&x", Host: "api.example.com", Header: client,
				Prepare: func(h http.Header, t *Target) {
					h.Set("X-Forwarded-For", "1.2.3.4")
					h.Add("Accept", "c")
					if t.Kind == Bundled {
						h.Set("X-Parsescale-Client-Ip", "1.2.3.4")
					}
				}})
			if err != nil {
				t.Fatal(err)
			}
			h := got.Header
			want := map[string]string{"X-Parse-Session-Token": "[r:1]", "X-Forwarded-For": "[1.2.3.4]", "Accept": "[a b c]"}
			if kind == Bundled {
				want["X-Parsescale-Client-Ip"] = "[1.2.3.4]"
			}
			for name, v := range want {
				if fmt.Sprint(h[name]) != v {
					t.Errorf("%s: got %v, want %s", name, h[name], v)
				}
			}
			if len(h) != len(want) {
				t.Errorf("the worker got %v", h)
			}
			if got.Host != "api.example.com" || got.RequestURI != "/a%2Fb//c?where=%7B%7D&x" {
				t.Errorf("host %s, URI %s", got.Host, got.RequestURI)
			}
			reads := ""
			if kind == Bundled {
				reads = "A:1"
			}
			if res.Header.Get("X-Parsescale-Reads") != reads || res.Header.Get("Etag") != `"e"` || len(res.Header["Set-Cookie"]) != 2 ||
				res.Header.Get("X-Private")+res.Header.Get("Connection")+res.Header.Get("Keep-Alive") != "" {
				t.Errorf("answer's header %v", res.Header)
			}
			if fmt.Sprint(client) != fmt.Sprint(before) {
				t.Errorf("the client's header was changed: %v", client)
			}
		})
	}
}

// A URI that begins with two slashes names no other host.
func TestURIs(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI+" "+r.Host) }))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	for _, test := range []struct{ base, uri, want string }{
		{"", "//evil/x", "//evil/x"},
		{"", "/", "/"},
		{"", "/x?", "/x?"},
		{"", "/%E4%BD%A0/ä", "/%E4%BD%A0/%C3%A4"},
		{"/parse", "/classes/A%20B", "/parse/classes/A%20B"},
		{"/p%2Fq/", "/classes/A", "/p%2Fq/classes/A"},
	} {
		p := newPool(t, Options{}, Target{Name: "w", Address: srv.URL + test.base})
		res, err := p.Do(context.Background(), &Request{Method: "GET", URI: test.uri})
		if err != nil || string(res.Body) != test.want+" "+host {
			t.Errorf("%s + %s: got %q, %v, want %q", test.base, test.uri, res.Body, err, test.want)
		}
	}
}
