package caddymodule

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/server/trickle"
)

// TestPriorities: who goes first when not all can be answered.
func TestPriorities(t *testing.T) {
	g, err := newGateway(&settings{mount: "/parse", upstreams: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.pool.Close() })
	master := func(key string) map[string]string { return map[string]string{"X-Parse-Master-Key": key} }
	for _, test := range []struct {
		method, path, body string
		header             map[string]string
		known              string // the app's master key, "" where the gateway doesn't know it
		want               admission.Priority
	}{
		{method: "GET", path: "/health", want: admission.First},
		{method: "GET", path: "/classes/A", want: admission.Reads},
		{method: "POST", path: "/classes/A", body: `{"_method":"GET","where":{}}`, want: admission.Reads},
		{method: "GET", path: "/users/me", want: admission.Reads},
		{method: "POST", path: "/classes/A", body: `{}`, want: admission.Writes},
		{method: "POST", path: "/batch", body: `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{}}]}`, want: admission.Writes},
		{method: "GET", path: "/login?username=u&password=p", want: admission.Writes},
		{method: "POST", path: "/login", body: `{}`, want: admission.Writes},
		{method: "OPTIONS", path: "/login", want: admission.Writes},
		{method: "POST", path: "/functions/f", body: `{}`, want: admission.Last},
		{method: "POST", path: "/jobs/j", body: `{}`, want: admission.Last},
		{method: "GET", path: "/aggregate/A", want: admission.Last},
		{method: "POST", path: "/files/a.txt", body: "x", want: admission.Last},
		{method: "GET", path: "/files/app/a.txt", want: admission.Last},
		{method: "GET", path: "/nobody/knows", want: admission.Last},
		{method: "POST", path: "/functions/f", body: `{}`, header: master("right"), known: "right", want: admission.First},
		{method: "GET", path: "/classes/A", header: master("right"), known: "right", want: admission.First},
		{method: "POST", path: "/classes/A", body: `{"_method":"GET","_ApplicationId":"app","_MasterKey":"right"}`, known: "right", want: admission.First},
		{method: "GET", path: "/classes/A", header: master("wrong"), known: "right", want: admission.Writes},
		{method: "POST", path: "/functions/f", body: `{}`, header: master("wrong"), known: "right", want: admission.Last},
		{method: "GET", path: "/classes/A", header: master("right"), want: admission.Writes},
	} {
		g.masterKey.Store(nil)
		if test.known != "" {
			g.learnMasterKey(map[string]json.RawMessage{"masterKey": json.RawMessage(`"` + test.known + `"`)})
		}
		header := http.Header{"Content-Type": {"text/plain"}}
		for k, v := range test.header {
			header.Set(k, v)
		}
		path, query, _ := strings.Cut(test.path, "?")
		x := exchange{route: &route{gateway: g}, path: path}
		x.req = request.Classify(request.Input{
			Method: test.method, Path: path, RawQuery: query, Header: header, Body: []byte(test.body), BodyComplete: true, Mount: "/parse",
		})
		if got := x.priority(); got != test.want {
			t.Errorf("%s %s %s %v: %s, want %s", test.method, test.path, test.body, test.header, got, test.want)
		}
	}
}

// TestOverload holds a worker up and asks more of it than it may be asked at once.
func TestOverload(t *testing.T) {
	hold := make(chan struct{})
	w := newRecordingWorker(t, func(rw http.ResponseWriter, r *http.Request, body string) {
		if r.Header.Get("X-Hold") != "" {
			<-hold
		}
		results(rw, r, body)
	})
	t.Cleanup(func() { close(hold) })
	s := newSite(t, remoteSite(w, "cache {\nttl 5s\n}\nadmission {\nmin 5\nmax 5\nqueue off\n}"))
	s.run(t, w, []step{{method: "GET", path: "/parse/classes/Known", cache: "stored", calls: 1}})
	for range 4 { // for one more there is room, if it is a write
		go func() {
			r := httptest.NewRequest("GET", "/parse/classes/A", http.NoBody)
			r.Header.Set("X-Parse-Application-Id", "app")
			r.Header.Set("X-Hold", "yes")
			r.Header.Set("Cache-Control", "no-store")
			s.server.ServeHTTP(httptest.NewRecorder(), r)
		}()
	}
	deadline := time.Now().Add(10 * time.Second)
	for w.count() < 5 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	refused := step{
		method: "GET", path: "/parse/classes/B", status: 429, cache: "detail=overloaded", want: `{"code":100,"error":"The server is busy. Try again later."}`,
		headers: map[string]string{"Retry-After": "1", "Access-Control-Allow-Origin": "*", "Content-Type": "application/json; charset=utf-8"},
	}
	function := refused
	function.method, function.path, function.body = "POST", "/parse/functions/f", "{}"
	s.run(t, w, []step{
		refused,
		function,
		{method: "POST", path: "/parse/login", body: `{"username":"u","password":"p"}`, status: 201, calls: 1},
		{method: "GET", path: "/parse/classes/Known", cache: "hit"}, // what is stored needs no worker
	})
}

// TestUploadsOfSlowClients: clients that take their time to send files keep nobody but others who send files from the workers.
func TestUploadsOfSlowClients(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "admission {\nmin 5\nmax 5\nqueue off\n}"))
	upload := func(body io.Reader) int {
		r := httptest.NewRequest("POST", "/parse/files/a.txt", body)
		r.Header.Set("X-Parse-Application-Id", "app")
		rec := httptest.NewRecorder()
		s.server.ServeHTTP(rec, r)
		return rec.Code
	}
	var slow []*io.PipeWriter
	ended := make(chan int, 5)
	for range cap(ended) {
		body, client := io.Pipe()
		slow = append(slow, client)
		go func() {
			ended <- upload(body)
			body.Close()
		}()
		if _, err := client.Write([]byte("x")); err != nil { // it is on its way
			t.Fatal(err)
		}
	}
	if got := upload(strings.NewReader("x")); got != http.StatusTooManyRequests {
		t.Errorf("one more upload: status %d", got)
	}
	s.run(t, w, []step{
		{method: "POST", path: "/parse/functions/f", body: "{}", status: 201, calls: 1},
		{method: "GET", path: "/parse/classes/A", calls: 1},
	})
	for _, client := range slow {
		client.Close()
	}
	for range cap(ended) {
		if got := <-ended; got != http.StatusCreated {
			t.Errorf("a slow upload: status %d", got)
		}
	}
	if got := upload(strings.NewReader("x")); got != http.StatusCreated {
		t.Errorf("after them: status %d", got)
	}
}

// TestStalledUploads: clients that begin uploads and send no more don't keep others from uploading for long.
func TestStalledUploads(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "admission {\nmin 2\nmax 2\nqueue off\n}"))
	var late atomic.Int64
	s.handlers[0].routes[0].sending = trickle.Among(func() time.Time { return time.Now().Add(time.Duration(late.Load())) })
	front := httptest.NewServer(s.server)
	t.Cleanup(front.Close)
	begin := func() net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "POST /parse/files/a.txt HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nX-Parse-Application-Id: app\r\nContent-Length: 5\r\n\r\nhalf")
		return conn
	}
	limiter := s.handlers[0].routes[0].admission.Load()
	first, second := begin(), begin()
	for deadline := time.Now().Add(10 * time.Second); limiter.Status().Aside < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	status := func(conn net.Conn) int {
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	refused := func() {
		t.Helper()
		r := httptest.NewRequest("POST", "/parse/files/a.txt", strings.NewReader("x"))
		r.Header.Set("X-Parse-Application-Id", "app")
		rec := httptest.NewRecorder()
		if s.server.ServeHTTP(rec, r); rec.Code != http.StatusTooManyRequests {
			t.Errorf("one too many: status %d", rec.Code)
		}
	}
	refused()
	fmt.Fprint(second, "!") // it had time
	if got := status(second); got != http.StatusCreated {
		t.Errorf("who was slow for a moment: status %d", got)
	}
	second = begin()
	for deadline := time.Now().Add(10 * time.Second); limiter.Status().Aside < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	late.Store(int64(time.Minute))
	refused() // it is too late for this one, but not for those that come after
	gone := make(chan int, 2)
	for _, conn := range []net.Conn{first, second} {
		go func() {
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				res.Body.Close()
				gone <- res.StatusCode
			}
		}()
	}
	select {
	case got := <-gone:
		if got != http.StatusRequestTimeout {
			t.Errorf("the slowest one: status %d", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody has gone")
	}
	next := begin()
	fmt.Fprint(next, "!")
	if got := status(next); got != http.StatusCreated {
		t.Errorf("the next one: status %d", got)
	}
	if got := s.handlers[0].routes[0].pool.Status()[0]; got.Failures != 0 || got.Breaker != "closed" {
		t.Errorf("the worker is blamed: %+v", got)
	}
}

// TestInitialOfSeveralUpstreams: the limit begins with initial for each of them.
func TestInitialOfSeveralUpstreams(t *testing.T) {
	var addresses []string
	for range 3 {
		addresses = append(addresses, newRecordingWorker(t, results).addr())
	}
	newSite(t, "{\n\tadmin off\n}\n:9 {\n\tparse /parse/* "+strings.Join(addresses, " ")+" {\n\t\tadmission {\n\t\t\tinitial 70\n\t\t}\n\t}\n}")
	for _, g := range activeApp.Load().gateways {
		if s := g.admission.Load().Status(); s.Limit != 210 {
			t.Errorf("the limit is %d, want 70 for each of three", s.Limit)
		}
	}
}

// TestAdmissionOfOneApp: its workers have one limit, whatever the number of its sites.
func TestAdmissionOfOneApp(t *testing.T) {
	site := func(port, settings string) string {
		return ":" + port + " {\n\tparse /parse/* 127.0.0.1:1 {\n" + settings + "\n\t}\n}\n"
	}
	head := "{\n\tadmin off\n}\n"
	if _, err := trySite(t, head+site("8", "admission {\nmax 50\n}")+site("9", "")); err != nil {
		t.Error(err)
	}
	_, err := trySite(t, head+site("8", "admission {\nmax 50\n}")+site("9", "admission off"))
	if err == nil || !strings.Contains(err.Error(), "different settings of admission") {
		t.Errorf("two settings for one app: %v", err)
	}
}
