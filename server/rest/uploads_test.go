package rest_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

func TestFileMetadata(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	sdk := func(fileData string) string {
		return `{"base64":"eA==","_ApplicationId":"APP","_MasterKey":"MASTER","fileData":` + fileData + `}`
	}
	stream := func(more ...string) map[string]string {
		return master(append([]string{"X-Parse-Upload-Mode", "stream"}, more...)...)
	}
	const constructor = `{"code":105,"error":"Prohibited keyword in request data: {\"key\":\"constructor\"}."}`
	const proto = `{"code":105,"error":"Prohibited keyword in request data: {\"key\":\"__proto__\"}."}`
	w.run([]Scenario{
		{Name: "a denied keyword in a stream's metadata", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: stream("X-Parse-File-Metadata", `{"constructor":1}`), Status: 400, Exact: constructor},
		{Name: "a denied keyword deep in a stream's tags", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: stream("X-Parse-File-Tags", `{"a":{"__proto__":1}}`), Status: 400, Exact: proto},
		{Name: "a denied keyword from the SDK", Method: "POST", Path: "/files/a.txt", Body: sdk(`{"metadata":{"myconstructor":"x"}}`), Status: 400, Exact: constructor},
		{Name: "a denied keyword in an array from the SDK", Method: "POST", Path: "/files/a.txt", Body: sdk(`{"tags":{"a":["x",{"__proto__":1}]}}`), Status: 400, Exact: proto},
		{Name: "a denied key with its value", Method: "POST", Path: "/files/a.txt", Body: sdk(`{"metadata":{"_bsontype":"Code"}}`), Status: 400, Exact: `{"code":105,"error":"Prohibited keyword in request data: {\"key\":\"_bsontype\",\"value\":\"Code\"}."}`},
		{Name: "an array counts as an object", Method: "POST", Path: "/files/a.txt", Body: sdk(`{"metadata":[1,"constructor"]}`), Status: 201},
		{Name: "no file data", Method: "POST", Path: "/files/a.txt", Body: sdk(`null`), Status: 201},
		{Name: "file data that is text", Method: "POST", Path: "/files/a.txt", Body: sdk(`"x"`), Status: 201},
		{Name: "metadata that is null", Method: "POST", Path: "/files/a.txt", Body: sdk(`{"metadata":null}`), Status: 400, Exact: `{"code":105,"error":"File metadata must be an object."}`},
		{Name: "tags that are text", Method: "POST", Path: "/files/a.txt", Body: sdk(`{"tags":"abc"}`), Status: 400, Exact: `{"code":105,"error":"File tags must be an object."}`},
		{Name: "a directory that is no text", Method: "POST", Path: "/files/a.txt", Body: sdk(`{"directory":null}`), Status: 400, Exact: `{"code":122,"error":"Directory must be a string."}`},
		{Name: "a stream's metadata that is an array", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: stream("X-Parse-File-Metadata", `[1]`), Status: 400, Exact: `{"code":107,"error":"Invalid JSON in X-Parse-File-Metadata header."}`},
		{Name: "a stream's tags that are no JSON", Method: "POST", Path: "/files/a.txt", Body: "x", Headers: stream("X-Parse-File-Tags", `{`), Status: 400, Exact: `{"code":107,"error":"Invalid JSON in X-Parse-File-Tags header."}`},
		{Name: "a stream's JSON isn't read", Method: "POST", Path: "/files/a.txt", Body: sdk(`{}`), Headers: map[string]string{"X-Parse-Upload-Mode": "stream"}, Status: 403, Exact: unauthorized},
		{Name: "no content", Method: "POST", Path: "/files/a.txt", Body: `{"_ApplicationId":"APP","_MasterKey":"MASTER"}`, Status: 400, Exact: `{"code":130,"error":"Invalid file upload."}`},
		{Name: "content that is no base64", Method: "POST", Path: "/files/a.txt", Body: `{"base64":"====","_ApplicationId":"APP","_MasterKey":"MASTER"}`, Status: 400, Exact: `{"code":130,"error":"Invalid file upload."}`},
		{Name: "metadata of a file that isn't there", Method: "GET", Path: "/files/APP/metadata/none.txt", Status: 200, Exact: `{}`},
		{Name: "metadata of another app's file", Method: "GET", Path: "/files/NOPE/metadata/none.txt", Status: 200, Exact: `{}`},
		{Name: "metadata of a path that leads elsewhere", Method: "GET", Path: "/files/APP/metadata/..%2f..%2fparse.db", Status: 200, Exact: `{}`},
	})
	for name, up := range map[string]response{
		"the SDK's":  w.do("POST", "/files/a.txt", sdk(`{"metadata":{"author":"Fudd","pages":7,"deep":{"x":[1,null]}},"tags":{"kind":"script"}}`), nil),
		"a stream's": w.do("POST", "/files/a.txt", "x", stream("X-Parse-File-Metadata", `{"author":"Fudd","pages":7,"deep":{"x":[1,null]}}`, "X-Parse-File-Tags", `{"kind":"script"}`)),
	} {
		t.Run(name, func(t *testing.T) {
			if up.status != 201 {
				t.Fatalf("status %d: %s", up.status, up.body)
			}
			file := member(t, up.body, "name")
			got := w.do("GET", "/files/APP/metadata/"+file, "", nil)
			if want := `{"metadata":{"author":"Fudd","deep":{"x":[1,null]},"pages":7}}`; got.status != 200 || got.body != want {
				t.Errorf("status %d: %s, not %s", got.status, got.body, want)
			}
			if d := w.do("DELETE", "/files/"+file, "", master()); d.status != 200 {
				t.Fatalf("status %d: %s", d.status, d.body)
			}
			if got := w.do("GET", "/files/APP/metadata/"+file, "", nil); got.body != "{}" {
				t.Errorf("a deleted file has metadata: %s", got.body)
			}
		})
	}
	// Three files were stored that are still there, one of them with a note of its metadata.
	if left, err := os.ReadDir(w.o.FilesFolder); err != nil || len(left) != 4 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

func TestFileDownloads(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	up := w.do("POST", "/files/a.txt", "0123456789", master())
	path := "/files/APP/" + member(t, up.body, "name")
	tag := w.do("HEAD", path, "", nil).header.Get("ETag")
	if len(tag) < 3 || tag[0] != '"' {
		t.Fatalf("the entity tag is %s", tag)
	}
	ranged := func(r string, more ...string) map[string]string {
		h := map[string]string{"Range": r}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	w.run([]Scenario{
		{Name: "the whole", Method: "GET", Path: path, Status: 200, Exact: "0123456789", WantHeaders: map[string]string{"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}},
		{Name: "the head", Method: "HEAD", Path: path, Status: 200, WantHeaders: map[string]string{"Content-Length": "10"}},
		{Name: "a range", Method: "GET", Path: path, Headers: ranged("bytes=2-4"), Status: 206, Exact: "234", WantHeaders: map[string]string{"Content-Range": "bytes 2-4/10", "Content-Length": "3"}},
		{Name: "a range past the end", Method: "GET", Path: path, Headers: ranged("bytes=8-99"), Status: 206, Exact: "89", WantHeaders: map[string]string{"Content-Range": "bytes 8-9/10"}},
		{Name: "the last bytes", Method: "GET", Path: path, Headers: ranged("bytes=-3"), Status: 206, Exact: "789"},
		{Name: "a range that there isn't", Method: "GET", Path: path, Headers: ranged("bytes=10-"), Status: 416, WantHeaders: map[string]string{"Content-Range": "bytes */10"}},
		{Name: "the head of a range", Method: "HEAD", Path: path, Headers: ranged("bytes=2-4"), Status: 206, WantHeaders: map[string]string{"Content-Length": "3"}},
		{Name: "several ranges are answered with the whole", Method: "GET", Path: path, Headers: ranged("bytes=0-0,2-2"), Status: 200, Exact: "0123456789"},
		{Name: "another unit is answered with the whole", Method: "GET", Path: path, Headers: ranged("lines=1-2"), Status: 200, Exact: "0123456789"},
		{Name: "a range of the version that the client has", Method: "GET", Path: path, Headers: ranged("bytes=2-4", "If-Range", tag), Status: 206, Exact: "234"},
		{Name: "a range of another version", Method: "GET", Path: path, Headers: ranged("bytes=2-4", "If-Range", `"other"`), Status: 200, Exact: "0123456789"},
		{Name: "nothing new", Method: "GET", Path: path, Headers: map[string]string{"If-None-Match": tag}, Status: 304},
		{Name: "something new", Method: "GET", Path: path, Headers: map[string]string{"If-None-Match": `"other"`}, Status: 200, Exact: "0123456789"},
		{Name: "another version than the client wants", Method: "GET", Path: path, Headers: map[string]string{"If-Match": `"other"`}, Status: 412},
	})
}

func TestFileDownloadOptions(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) {
		o.FileDownload.EnableForPublic, o.FileDownload.EnableForAnonymousUser = false, false
	})
	user := member(t, w.do("POST", "/users", `{"username":"u","password":"p"}`, app()).body, "sessionToken")
	anonymous := member(t, w.do("POST", "/users", `{"authData":{"anonymous":{"id":"1"}}}`, app()).body, "sessionToken")
	name := member(t, w.do("POST", "/files/a.txt", "x", master("X-Parse-Upload-Mode", "stream", "X-Parse-File-Metadata", `{"a":"b"}`)).body, "name")
	as := func(session string) map[string]string { return map[string]string{"X-Parse-Session-Token": session} }
	const public, anon = `{"code":119,"error":"File download by public is disabled."}`, `{"code":119,"error":"File download by anonymous user is disabled."}`
	w.run([]Scenario{
		{Name: "public", Method: "GET", Path: "/files/APP/" + name, Status: 400, Exact: public},
		{Name: "public metadata", Method: "GET", Path: "/files/APP/metadata/" + name, Status: 403, Exact: public},
		{Name: "anonymous user", Method: "GET", Path: "/files/APP/" + name, Headers: as(anonymous), Status: 400, Exact: anon},
		{Name: "anonymous user's metadata", Method: "GET", Path: "/files/APP/metadata/" + name, Headers: as(anonymous), Status: 403, Exact: anon},
		{Name: "user", Method: "GET", Path: "/files/APP/" + name, Headers: as(user), Status: 200, Exact: "x"},
		{Name: "user's metadata", Method: "GET", Path: "/files/APP/metadata/" + name, Headers: as(user), Status: 200, Exact: `{"metadata":{"a":"b"}}`},
		{Name: "master key", Method: "GET", Path: "/files/APP/" + name, Headers: master(), Status: 200, Exact: "x"},
	})
}

// zeros is content of some size that nobody holds.
type zeros int64

func (z *zeros) Read(p []byte) (int, error) {
	if *z == 0 {
		return 0, io.EOF
	}
	n := min(len(p), int(*z))
	clear(p[:n])
	*z -= zeros(n)
	return n, nil
}

// TestLargeFilesAreStreamed measures the heap while 100 MB come in, in every form, and go out.
func TestLargeFilesAreStreamed(t *testing.T) {
	const size, bound = 100 << 20, 16 << 20
	w := start(t, server.Environment{}, func(o *config.Options) { o.MaxUploadSize = 300 << 20 })
	stop, peak := make(chan struct{}), make(chan uint64)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		most := uint64(0)
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(10 * time.Millisecond):
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapInuse)
			}
		}
	}()
	encoded := func() io.Reader {
		r, out := io.Pipe()
		go func() {
			block := bufio.NewWriterSize(out, 64<<10)
			e := base64.NewEncoder(base64.StdEncoding, block)
			content := zeros(size)
			_, err := io.Copy(e, &content)
			out.CloseWithError(errors.Join(err, e.Close(), block.Flush()))
		}()
		return io.MultiReader(strings.NewReader(`{"base64":"`), r, strings.NewReader(`","_ApplicationId":"APP","_MasterKey":"MASTER"}`))
	}
	content := func() io.Reader { z := zeros(size); return &z }
	for _, form := range []struct {
		name    string
		body    io.Reader
		headers map[string]string
	}{
		{"the raw form", content(), master()},
		{"the stream form", content(), master("X-Parse-Upload-Mode", "stream")},
		{"the JSON form", encoded(), nil},
	} {
		started := time.Now()
		r, err := http.NewRequest("POST", w.base+"/files/big.bin", form.body)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range form.headers {
			r.Header.Set(k, v)
		}
		res, err := w.c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 201 {
			t.Fatalf("%s: status %d: %s", form.name, res.StatusCode, body)
		}
		if res, err = w.c.Get(member(t, string(body), "url")); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || n != size || res.Header.Get("Content-Length") != strconv.Itoa(size) {
			t.Errorf("%s: %d bytes came back, %v", form.name, n, err)
		}
		t.Logf("%s, there and back: %s", form.name, time.Since(started))
	}
	close(stop)
	most := <-peak
	t.Logf("the heap grew from %d MB to %d MB at most", before.HeapInuse>>20, most>>20)
	if most > before.HeapInuse+bound {
		t.Errorf("the heap grew by %d MB; files must not be held in memory", (most-before.HeapInuse)>>20)
	}
}

// TestStalledUploads: clients that begin uploads and send no more don't keep others from uploading.
func TestStalledUploads(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	site, err := url.Parse(w.base)
	if err != nil {
		t.Fatal(err)
	}
	const more, begin, patience = 70, `{"base64":"eA==","x":"`, 20 * time.Second
	told := make(chan *http.Response, more)
	for range more {
		conn, err := net.Dial("tcp", site.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST %s/files/a.txt HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n\r\n%s", site.Path, site.Host, begin); err != nil {
			t.Fatal(err)
		}
		go func() {
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				told <- res
			}
		}()
	}
	select {
	case res := <-told: // all places are taken now, and others wait for one
		if res.StatusCode != http.StatusRequestTimeout || !res.Close {
			t.Errorf("status %d, close: %v", res.StatusCode, res.Close)
		}
	case <-time.After(patience):
		t.Fatal("none was told to go")
	}
	begun := time.Now()
	up := w.do("POST", "/files/a.txt", `{"base64":"eA==","_ApplicationId":"APP","_MasterKey":"MASTER"}`, nil)
	if took := time.Since(begun); up.status != 201 || took > patience {
		t.Errorf("status %d after %s: %s", up.status, took, up.body)
	}
}
