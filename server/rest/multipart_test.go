package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
)

// TestForms calls functions with forms; what becomes of each kind of part is compared with parse-server's end to end.
func TestForms(t *testing.T) {
	var posted map[string]any
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if posted = nil; err != nil || int64(len(data)) != r.ContentLength {
			t.Errorf("%d bytes came, of %d: %v", len(data), r.ContentLength, err)
		}
		if err := json.Unmarshal(data, &posted); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	defer hook.Close()
	w := start(t, server.Environment{Cloud: func(c *cloud.Cloud) error {
		return c.Define("sizes", func(_ context.Context, r *cloud.Request) (any, error) {
			out := map[string]any{}
			for name, v := range r.Params {
				switch v := v.(type) {
				case string:
					out[name] = v
				case map[string]any:
					data, _ := v["data"].([]byte)
					out[name] = fmt.Sprint(v["filename"], " ", v["contentType"], " ", len(data))
				}
			}
			return out, nil
		}, cloud.Validator{})
	}}, func(o *config.Options) {
		o.MaxUploadSize, o.IdempotencyOptions = 1<<20, config.Idempotency{Paths: []string{"functions/.*"}, TTL: 60}
	})
	w.do("POST", "/hooks/functions", `{"functionName":"hooked","url":"`+hook.URL+`"}`, master())
	form := app("Content-Type", "multipart/form-data; boundary=b")
	text := func(name, content string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + content + "\r\n"
	}
	file := func(name, content string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"a.bin\"\r\nContent-Type: image/png\r\n\r\n" + content + "\r\n"
	}
	const end = "--b--\r\n"
	once := app("Content-Type", "multipart/form-data; boundary=b", "X-Parse-Request-Id", "once")
	const tooLarge = `{"code":116,"error":"Multipart request exceeds maximum upload size."}`
	w.run([]Scenario{
		{Name: "texts and files", Method: "POST", Path: "/functions/sizes?q=1", Headers: form, Body: text("a", "x") + text("q", "2") + file("f", strings.Repeat("\x00", 900_000)) + end, Status: 200, Exact: `{"result":{"a":"x","f":"a.bin image/png 900000","q":"1"}}`},
		{Name: "too long", Method: "POST", Path: "/functions/sizes", Headers: form, Body: file("f", strings.Repeat("x", 1<<20)) + end, Status: 400, Exact: tooLarge},
		{Name: "too many empty parts", Method: "POST", Path: "/functions/sizes", Headers: form, Body: strings.Repeat(text("", ""), 10_001) + end, Status: 400, Exact: `{"code":116,"error":"Multipart request has too many parts."}`},
		{Name: "a header that is none", Method: "POST", Path: "/functions/sizes", Headers: form, Body: "--b\r\nnothing\r\n\r\nx\r\n" + end, Status: 400, Exact: `{"code":107,"error":"Invalid multipart request: Malformed part header"}`},
		{Name: "a disposition that is none", Method: "POST", Path: "/functions/sizes", Headers: form, Body: "--b\r\nContent-Disposition: form-data; a=1; a=2\r\n\r\nx\r\n" + end, Status: 400, Exact: `{"code":107,"error":"Invalid multipart request: Malformed part header"}`},
		{Name: "cut off", Method: "POST", Path: "/functions/sizes", Headers: form, Body: text("a", "x") + "--b\r\nContent-Disposition: form-data", Status: 400, Exact: `{"code":107,"error":"Invalid multipart request: Unexpected end of multipart data"}`},
		{Name: "without the last boundary", Method: "POST", Path: "/functions/sizes", Headers: form, Body: text("a", "x"), Status: 400, Exact: `{"code":107,"error":"Invalid multipart request: Unexpected end of multipart data"}`},
		{Name: "without the last line's end", Method: "POST", Path: "/functions/sizes", Headers: form, Body: text("a", "x") + "--b--", Status: 200, Exact: `{"result":{"a":"x"}}`},
		{Name: "without a boundary", Method: "POST", Path: "/functions/sizes", Headers: app("Content-Type", "multipart/form-data"), Body: end, Status: 400, Exact: `{"code":107,"error":"Invalid multipart request: Multipart: Boundary not found"}`},
		{Name: "cut off, of a request that is to be done once", Method: "POST", Path: "/functions/sizes", Headers: once, Body: text("a", "x"), Status: 400, Subset: `{"code":107}`},
		{Name: "which wasn't done, so it is now", Method: "POST", Path: "/functions/sizes", Headers: once, Body: text("a", "x") + end, Status: 200, Exact: `{"result":{"a":"x"}}`},
		{Name: "and isn't done again", Method: "POST", Path: "/functions/sizes", Headers: once, Body: text("a", "x") + end, Status: 400, Exact: `{"code":159,"error":"Duplicate request"}`},
		{Name: "to a webhook", Method: "POST", Path: "/functions/hooked", Headers: form, Body: text("a", "x") + file("f", string(every())) + end, Status: 200, Exact: `{"result":true}`},
	})
	params, _ := posted["params"].(map[string]any)
	f, _ := params["f"].(map[string]any)
	data, _ := f["data"].(map[string]any)
	numbers, _ := data["data"].([]any)
	if params["a"] != "x" || f["filename"] != "a.bin" || f["contentType"] != "image/png" || data["type"] != "Buffer" || len(numbers) != len(every()) {
		t.Errorf("the webhook got %v with %d bytes", posted, len(numbers))
	}
	for i, n := range numbers {
		if n != float64(every()[i]) {
			t.Fatalf("byte %d became %v", i, n)
		}
	}
	// A body whose length nobody knows ends at the limit too.
	req, err := http.NewRequest("POST", w.base+"/functions/sizes", io.MultiReader(strings.NewReader(text("a", "")), bytes.NewReader(make([]byte, 2<<20))))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range form {
		req.Header.Set(name, v)
	}
	res, err := w.c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != tooLarge {
		t.Errorf("without a length: %s, %v", body, err)
	}
}

// every is each byte, and more than fits into one buffer.
func every() []byte {
	out := make([]byte, 9_000)
	for i := range out {
		out[i] = byte(i)
	}
	return out
}
