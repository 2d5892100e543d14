package inspect

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/policies/request"
)

// unannounced hides a body's length.
type unannounced struct{ io.Reader }

func TestClassifyLeavesTheBodyReadable(t *testing.T) {
	find := `{"_method":"GET","_ApplicationId":"shop","where":{"a":1}}`
	long := `{"a":"` + strings.Repeat("x", 2*Limit) + `"}`
	batch := func(n int) string {
		return `{"requests":[` + strings.Repeat(`{"method":"DELETE","path":"/parse/classes/A/b"},`, n-1) + `{"method":"POST","path":"/parse/classes/B","body":{}}]}`
	}
	big := batch(40_000)
	for _, test := range []struct {
		name, method, path, body string
		op                       request.Op
		write                    bool
		cost                     int
	}{
		{"a find of the SDKs", "POST", "/classes/A", find, request.Find, false, 1},
		{"a find", "GET", "/classes/A", "", request.Find, false, 1},
		{"a create", "POST", "/classes/A", `{"a":1}`, request.Create, true, 1},
		{"more than is looked at", "POST", "/classes/A", long, request.Other, true, 1},
		{"a batch", "POST", "/batch", batch(3), request.Batch, true, 3},
		{"a large batch", "POST", "/batch/", big, request.Batch, true, 40_000},
		{"a file", "POST", "/files/a.txt", long, request.FileUpload, true, 1},
	} {
		for _, length := range []string{"announced", "not announced"} {
			t.Run(test.name+", its length "+length, func(t *testing.T) {
				var from io.Reader = strings.NewReader(test.body)
				if length == "not announced" {
					from = unannounced{from}
				}
				r := httptest.NewRequest(test.method, "/parse"+test.path, from)
				r.Header.Set("Content-Type", "text/plain")
				for range 3 { // again and again, as several matchers do
					got, err := Classify(r, test.path, Options{Mount: "/parse", MaxBatch: 20 << 20})
					if err != nil || got.Op != test.op || got.Write != test.write || got.Cost != test.cost {
						t.Fatalf("got %v (write %v, cost %d), %v; want %v (write %v, cost %d)", got.Op, got.Write, got.Cost, err, test.op, test.write, test.cost)
					}
				}
				left, err := io.ReadAll(r.Body)
				if err != nil || string(left) != test.body {
					t.Errorf("%d bytes are left of %d, %v", len(left), len(test.body), err)
				}
				if err := r.Body.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestClassifyOfWhatWasRead(t *testing.T) {
	read := func(r *http.Request, n int64) { _, _ = io.CopyN(io.Discard, r.Body, n) }
	find := `{"_method":"GET"}`
	r := httptest.NewRequest("POST", "/parse/classes/A", strings.NewReader(find))
	read(r, 5)
	if got, err := Classify(r, "/classes/A", Options{Mount: "/parse"}); err != nil || got.Op != request.Other || !got.Write {
		t.Errorf("what remains of a body was taken for a whole: %v, %v", got.Op, err)
	}
	r = httptest.NewRequest("POST", "/parse/classes/A", strings.NewReader(find))
	r.Header.Set("Content-Type", "text/plain")
	if got, _ := Classify(r, "/classes/A", Options{Mount: "/parse"}); got.Op != request.Find {
		t.Fatalf("got %v", got.Op)
	}
	read(r, int64(len(find)))
	if got, _ := Classify(r, "/classes/A", Options{Mount: "/parse"}); got.Op != request.Other {
		t.Errorf("a body that was read after it was put back was taken for %v", got.Op)
	}
}

func TestTooLargeBatch(t *testing.T) {
	r := httptest.NewRequest("POST", "/parse/batch", strings.NewReader(strings.Repeat(" ", 3<<20)))
	if _, err := Classify(r, "/batch", Options{Mount: "/parse", MaxBatch: 2 << 20}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestBrokenBody has a client leave in the middle of its body: whoever reads it hears of that.
func TestBrokenBody(t *testing.T) {
	r := httptest.NewRequest("POST", "/parse/classes/A", io.MultiReader(strings.NewReader(`{"a"`), brokenReader{}))
	if got, err := Classify(r, "/classes/A", Options{Mount: "/parse"}); err != nil || got.Op != request.Other {
		t.Errorf("got %v, %v", got.Op, err)
	}
	if b, err := io.ReadAll(r.Body); !errors.Is(err, io.ErrUnexpectedEOF) || string(b) != `{"a"` {
		t.Errorf("read %q, %v", b, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestConnect: the body of a CONNECT, such as a WebSocket's over HTTP/2, doesn't end, so nobody waits for that.
func TestConnect(t *testing.T) {
	never, _ := io.Pipe()
	r := httptest.NewRequest("CONNECT", "/parse", never)
	r.ContentLength = -1
	if got, err := Classify(r, "/", Options{Mount: "/parse"}); err != nil || got.Op != request.Other {
		t.Errorf("got %v, %v", got.Op, err)
	}
}

func TestAppID(t *testing.T) {
	for _, test := range []struct{ path, header, want string }{
		{"/classes/A", "shop", "shop"},
		{"/classes/A", "", ""},
		{"/files/blog/a.txt", "", "blog"},
		{"/files/blog/a.txt", "shop", "blog"},
		{"/files/a.txt", "shop", "shop"},
	} {
		r := httptest.NewRequest("GET", "/parse"+test.path, http.NoBody)
		if test.header != "" {
			r.Header.Set("X-Parse-Application-Id", test.header)
		}
		req, err := Classify(r, test.path, Options{Mount: "/parse"})
		if err != nil {
			t.Fatal(err)
		}
		if got := AppID(&req, test.path); got != test.want {
			t.Errorf("%s: %q, want %q", test.path, got, test.want)
		}
	}
}
