package caddymodule

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	goruntime "runtime" // the package has a type of that name
	"strings"
	"testing"
	"time"
)

// TestUnfinishedUploads: clients that leave in the middle of an upload, or send more than they may, don't take workers out of service.
func TestUnfinishedUploads(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "max_body 1KB"))
	front := httptest.NewServer(s.server)
	defer front.Close()
	send := func(rest string) (*http.Response, error) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "POST /parse/files/a.txt HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nX-Parse-Application-Id: app\r\n"+rest)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		return http.ReadResponse(bufio.NewReader(conn), nil)
	}
	for range 6 { // more than open a breaker
		// 499 if net/http has noticed before that the client is gone
		if res, err := send("Content-Length: 100\r\n\r\nhalf"); err != nil || res.StatusCode != http.StatusBadRequest && res.StatusCode != 499 {
			t.Fatal(res, err)
		}
		large := fmt.Sprintf("%x\r\n%s\r\n", 2000, strings.Repeat("x", 2000))
		if res, err := send("Transfer-Encoding: chunked\r\n\r\n" + large + large + "0\r\n\r\n"); err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatal(res, err)
		}
	}
	if got := s.handlers[0].routes[0].pool.Status()[0]; got.Failures != 0 || got.Breaker != "closed" || got.State != "up" {
		t.Errorf("the worker is blamed: %+v", got)
	}
	if n := w.count(); n != 0 {
		t.Errorf("the worker took %d parts for the whole", n)
	}
}

// TestPromisedBody: nothing much is allocated for a body before it is there.
func TestPromisedBody(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, ""))
	const requests = 50
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	for range requests {
		r := httptest.NewRequest("POST", "/parse/classes/A", io.MultiReader(strings.NewReader("{"), failing{}))
		r.ContentLength = 20_000_000
		rec := httptest.NewRecorder()
		s.server.ServeHTTP(rec, r)
		if rec.Code != http.StatusBadRequest {
			t.Fatalf("status %d", rec.Code)
		}
	}
	goruntime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / requests; each > 3<<20 {
		t.Errorf("%d bytes for a body of which one byte came", each)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the client left") }

// TestUploadsOfSeveralApps: which of several apps an upload is for is in its header, or, in the SDKs' form, somewhere in its body.
func TestUploadsOfSeveralApps(t *testing.T) {
	shop, blog := newRecordingWorker(t, results), newRecordingWorker(t, results)
	s := newSite(t, "{\nadmin off\nparse {\napp shop {\nupstreams "+shop.addr()+"\napp_id shop\n}\napp blog {\nupstreams "+blog.addr()+"\napp_id blog\n}\n}\n}\n:9 {\nparse\n}")
	long := strings.Repeat("x", 2<<20)
	for _, tt := range []struct {
		name, app, body string
		to              *recordingWorker // nil: neither
	}{
		{"the file itself", "shop", "\x89PNG" + long, shop},
		{"the SDKs' form", "", `{"base64":"` + long + `","_ContentType":"image/png","_ApplicationId":"blog"}`, blog},
		{"the SDKs' form and an app that nobody knows", "other", `{"base64":"eA==","_ApplicationId":"blog"}`, blog},
		{"the SDKs' form and an app in the header", "shop", `{"base64":"eA==","_ApplicationId":"blog"}`, shop},
		{"nothing tells", "", "\x89PNG" + long, nil},
		{"another app", "", `{"base64":"eA==","_ApplicationId":"other"}`, nil},
	} {
		before := map[*recordingWorker]int{shop: shop.count(), blog: blog.count()}
		rec := s.send(step{method: "POST", path: "/parse/files/a.png", body: tt.body, header: map[string]string{"X-Parse-Application-Id": tt.app, "Content-Type": "text/plain"}})
		for _, w := range []*recordingWorker{shop, blog} {
			if asked := w.count() - before[w]; asked != 0 && w != tt.to || asked != 1 && w == tt.to || w == tt.to && w.sent[len(w.sent)-1] != tt.body {
				t.Errorf("%s: %d requests reached %s; status %d", tt.name, asked, w.addr(), rec.Code)
			}
		}
		if tt.to == nil && rec.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", tt.name, rec.Code)
		}
	}
}
