package caddymodule

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/request"
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
		header := http.Header{}
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
		go func() { ended <- upload(body) }()
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
