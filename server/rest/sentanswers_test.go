package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server"
)

// TestSentAnswers: the memory of answers that were sent is used again, and no client ever sees what is another's: not those who
// ask at the same time, nor a batch, nor one who has that version already, nor who goes away in the middle.
func TestSentAnswers(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	const kinds = 8
	for kind := range kinds {
		for range 5 {
			if got := w.do("POST", "/classes/Page", fmt.Sprintf(`{"kind":%d,"text":"%s"}`, kind, strings.Repeat(fmt.Sprint(kind), 100<<kind)), app()); got.status != 201 {
				t.Fatal(got.status, got.body)
			}
		}
	}
	ask := func(kind int) string {
		return fmt.Sprintf(`/classes/Page?where={"kind":%d}&keys=kind,text&order=objectId`, kind)
	}
	inBatch := func(kind int) string {
		return fmt.Sprintf(`{"method":"GET","path":"/parse/classes/Page","body":{"where":{"kind":%d},"keys":"kind,text","order":"objectId"}}`, kind)
	}
	want, tags := make([]string, kinds), make([]string, kinds)
	for kind := range kinds {
		got := w.do("GET", ask(kind), "", app())
		want[kind], tags[kind] = got.body, got.header.Get("ETag")
		if n := strings.Count(want[kind], strings.Repeat(fmt.Sprint(kind), 100<<kind)); n != 5 {
			t.Fatalf("kind %d: %d pages in %.300s", kind, n, want[kind])
		}
	}
	var clients sync.WaitGroup
	send := func(method, path, body string, header ...string) (*http.Response, bool) {
		req, err := http.NewRequest(method, w.base+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return nil, false
		}
		for name, v := range app(header...) {
			req.Header.Set(name, v)
		}
		res, err := w.c.Do(req)
		if err != nil {
			t.Error(err)
			return nil, false
		}
		return res, true
	}
	for client := range 16 {
		clients.Go(func() {
			for i := range 40 {
				kind := (client + i) % kinds
				expected, status, header := want[kind], 200, []string(nil)
				method, path, body := "GET", ask(kind), ""
				switch i % 4 {
				case 1:
					other := (kind + 1) % kinds
					method, path = "POST", "/batch"
					body = `{"requests":[` + inBatch(kind) + "," + inBatch(other) + `]}`
					expected = `[{"success":` + want[kind] + `},{"success":` + want[other] + `}]`
				case 2:
					header, expected, status = []string{"If-None-Match", tags[kind]}, "", 304
				}
				res, ok := send(method, path, body, header...)
				if !ok {
					return
				}
				if i%4 == 3 {
					res.Body.Close()
					continue
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != status || string(got) != expected {
					t.Errorf("%s %s: %d, %v, %d bytes instead of %d: %.200s", method, path, res.StatusCode, err, len(got), len(expected), got)
					return
				}
			}
		})
	}
	clients.Wait()
}
