package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
)

// TestFileSizes compares what triggers are told of a file's length with what parse-server tells them: the length of the content, but of
// a stream what the client says.
func TestFileSizes(t *testing.T) {
	var told []string
	tell := func(_ context.Context, r *cloud.TriggerRequest) error {
		told = append(told, fmt.Sprint(r.Kind, " ", r.File.Size))
		return nil
	}
	w := start(t, server.Environment{Cloud: func(c *cloud.Cloud) error {
		return errors.Join(c.BeforeSave(cloud.Files, tell, cloud.Validator{}), c.AfterSave(cloud.Files, tell, cloud.Validator{}))
	}}, func(o *config.Options) { o.MaxUploadSize = 1 << 20 })
	var zipped, nothing bytes.Buffer
	for to, content := range map[*bytes.Buffer]string{&zipped: strings.Repeat("x", 500_000), &nothing: ""} {
		z := gzip.NewWriter(to)
		_, err := io.WriteString(z, content)
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
	}
	unknown := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }
	compressed, stream := master("Content-Encoding", "gzip"), master("X-Parse-Upload-Mode", "stream")
	const empty = `{"code":130,"error":"Invalid file upload."}`
	for _, test := range []struct {
		name    string
		body    io.Reader
		headers map[string]string
		status  int
		answer  string
		told    string
	}{
		{"a length", strings.NewReader("four"), master(), 201, "", "beforeSave 4, afterSave 4"},
		{"no length", unknown("four"), master(), 201, "", "beforeSave 4, afterSave 4"},
		{"no length, and much of it", unknown(strings.Repeat("x", 900_000)), master(), 201, "", "beforeSave 900000, afterSave 900000"},
		{"no length, and too much of it", unknown(strings.Repeat("x", 1<<20+1)), master(), 413, "", ""},
		{"no length, and nothing", unknown(""), master(), 400, empty, ""},
		{"compressed", bytes.NewReader(zipped.Bytes()), compressed, 201, "", "beforeSave 500000, afterSave 500000"},
		{"nothing, compressed", bytes.NewReader(nothing.Bytes()), compressed, 400, empty, ""},
		{"no gzip at all", strings.NewReader("four"), compressed, 400, "", ""},
		{"damaged", bytes.NewReader(zipped.Bytes()[:zipped.Len()-9]), compressed, 400, "", ""},
		{"a stream", strings.NewReader("four"), stream, 201, "", "beforeSave 4, afterSave 4"},
		{"a stream without a length", unknown("four"), stream, 201, "", "beforeSave -1, afterSave -1"},
		{"a stream that is too long", strings.NewReader(strings.Repeat("x", 1<<20+1)), stream, 400, `{"code":130,"error":"File size exceeds maximum allowed: 1048576 bytes."}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			told = nil
			req, err := http.NewRequest("POST", w.base+"/files/a.txt", test.body)
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range test.headers {
				req.Header.Set(name, v)
			}
			res, err := w.c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != test.status || test.answer != "" && string(body) != test.answer {
				t.Errorf("status %d: %s, %v", res.StatusCode, body, err)
			}
			if got := strings.Join(told, ", "); got != test.told {
				t.Errorf("told were %q, not %q", got, test.told)
			}
		})
	}
}
