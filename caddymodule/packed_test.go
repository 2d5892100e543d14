package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// many are results of about 5 kB, with ids and times as workers make them.
var many = func() string {
	var b strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	id := func() string { return strconv.FormatUint(random.Uint64()|1<<63, 36)[:10] }
	for range 20 {
		fmt.Fprintf(&b, `,{"objectId":%q,"createdAt":"2020-01-%02dT%02d:00:00.%03dZ","updatedAt":"2020-02-%02dT00:%02d:00.%03dZ","score":%d,"player":{"__type":"Pointer","className":"_User","objectId":%q},"ACL":{"*":{"read":true},%q:{"write":true}}}`,
			id(), 1+random.IntN(28), random.IntN(24), random.IntN(1000), 1+random.IntN(28), random.IntN(60), random.IntN(1000), random.IntN(1e6), id(), id())
	}
	return `{"results":[` + b.String()[1:] + `]}`
}()

// unpacked is a body after its Content-Encoding is taken off.
func unpacked(t testing.TB, h http.Header, body []byte) string {
	t.Helper()
	var out []byte
	var err error
	switch h.Get("Content-Encoding") {
	case "":
		return string(body)
	case "gzip":
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			out, err = io.ReadAll(r)
		}
	case "zstd":
		d, _ := zstd.NewReader(nil) // without options it doesn't fail
		defer d.Close()
		out, err = d.DecodeAll(body, nil)
	}
	if err != nil || len(out) == 0 {
		t.Fatalf("%s: %d bytes, %v", h.Get("Content-Encoding"), len(out), err)
	}
	return string(out)
}

// packedWorker answers with many, and a tag.
func packedWorker(t testing.TB, tag string, header ...string) *recordingWorker {
	return newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Etag", tag)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("a worker is asked for %s", r.Header.Get("Accept-Encoding"))
		}
		_, _ = io.WriteString(w, many)
	})
}

// TestPrecompressed asks for one answer with what clients accept, again and again.
func TestPrecompressed(t *testing.T) {
	type ask struct {
		accept    string
		none      string // If-None-Match
		status    int
		encoding  string
		etag      string
		method    string // GET
		fromCache bool
	}
	for _, tt := range []struct {
		name, cache, tag string
		header           []string // of the worker
		vary             string
		asks             []ask
	}{
		{"a strong tag", "", `"t"`, nil, "Accept-Encoding", []ask{
			{accept: "gzip", etag: `"t"`},
			{accept: "gzip", etag: `"t"`, fromCache: true},                        // once is no habit
			{accept: "gzip", encoding: "gzip", etag: `"t-gzip"`, fromCache: true}, // twice is
			{accept: "", etag: `"t"`, fromCache: true},                            // each gets what it takes
			{accept: "gzip;q=0", etag: `"t"`, fromCache: true},                    //
			{accept: "br", etag: `"t"`, fromCache: true},                          //
			{accept: "gzip, zstd", etag: `"t"`, fromCache: true},                  // zstd isn't there yet
			{accept: "gzip, zstd", encoding: "zstd", etag: `"t-zstd"`, fromCache: true},
			{accept: "zstd;q=0.1, gzip;q=0.2", encoding: "gzip", etag: `"t-gzip"`, fromCache: true},
			{accept: "gzip", none: `"t-gzip"`, status: 304, etag: `"t-gzip"`, fromCache: true},
			{accept: "zstd", none: `"t-gzip"`, status: 304, etag: `"t-zstd"`, fromCache: true},
			{accept: "", none: `"x", "t-zstd"`, status: 304, etag: `"t"`, fromCache: true},
			{accept: "gzip", none: `"t"`, status: 304, etag: `"t-gzip"`, fromCache: true},
			{accept: "gzip", none: `"t-br"`, encoding: "gzip", etag: `"t-gzip"`, fromCache: true},
			{accept: "gzip", method: "HEAD", encoding: "gzip", etag: `"t-gzip"`, fromCache: true},
			{accept: "", method: "HEAD", etag: `"t"`, fromCache: true},
		}},
		{"a weak tag holds for all", "", `W/"t"`, []string{"Vary", "Origin"}, "Origin, Accept-Encoding", []ask{
			{accept: "zstd", etag: `W/"t"`},
			{accept: "zstd", etag: `W/"t"`, fromCache: true},
			{accept: "zstd", encoding: "zstd", etag: `W/"t"`, fromCache: true},
			{accept: "", none: `W/"t"`, status: 304, etag: `W/"t"`, fromCache: true},
			{accept: "zstd", none: `"t"`, status: 304, etag: `W/"t"`, fromCache: true},
		}},
		{"off", "precompress off", `"t"`, nil, "", []ask{
			{accept: "gzip", etag: `"t"`}, {accept: "gzip", etag: `"t"`, fromCache: true}, {accept: "gzip", etag: `"t"`, fromCache: true}, {accept: "gzip", etag: `"t"`, fromCache: true},
		}},
		{"an answer that isn't to be transformed", "", `"t"`, []string{"Cache-Control", "max-age=5, no-transform"}, "", []ask{
			{accept: "gzip", etag: `"t"`}, {accept: "gzip", etag: `"t"`, fromCache: true}, {accept: "gzip", etag: `"t"`, fromCache: true}, {accept: "gzip", etag: `"t"`, fromCache: true},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := packedWorker(t, tt.tag, tt.header...)
			s := newSite(t, remoteSite(w, "cache {\n"+tt.cache+"\n}"))
			for i, a := range tt.asks {
				st := step{method: a.method, path: "/parse/classes/A", header: map[string]string{}}
				if st.method == "" {
					st.method = "GET"
				}
				if a.accept != "" {
					st.header["Accept-Encoding"] = a.accept
				}
				if a.none != "" {
					st.header["If-None-Match"] = a.none
				}
				rec := s.send(st)
				h := rec.Header()
				status := max(a.status, 200)
				if (h.Get("Cache-Status") == "parsescale; hit") != a.fromCache {
					t.Fatalf("request %d: %s", i, h.Get("Cache-Status"))
				}
				if rec.Code != status && (a.status != 0 || rec.Code != 200) || h.Get("Content-Encoding") != a.encoding || h.Get("Etag") != a.etag || h.Get("Vary") != tt.vary {
					t.Errorf("request %d, %+v: %d, %v", i, a, rec.Code, h)
				}
				body := rec.Body.Bytes()
				switch {
				case a.status == 304 || st.method == "HEAD":
					if len(body) > 0 {
						t.Errorf("request %d: a body of %d bytes", i, len(body))
					}
				case unpacked(t, h, body) != many:
					t.Errorf("request %d: another body", i)
				}
				if n, _ := strconv.Atoi(h.Get("Content-Length")); a.status != 304 && st.method != "HEAD" && n != len(body) {
					t.Errorf("request %d: Content-Length %d for %d bytes", i, n, len(body))
				}
				if st.method == "HEAD" && (h.Get("Content-Length") == "0" || (a.encoding == "") != (h.Get("Content-Length") == strconv.Itoa(len(many)))) {
					t.Errorf("request %d: Content-Length %s", i, h.Get("Content-Length"))
				}
			}
			if w.count() != 1 {
				t.Errorf("%d requests reached the worker", w.count())
			}
		})
	}
}

// TestPrecompressedBehindEncode has Caddy's encode in front: nothing is compressed twice.
func TestPrecompressedBehindEncode(t *testing.T) {
	for _, tag := range []string{`"t"`, `W/"t"`} {
		w := packedWorker(t, tag)
		s := newSite(t, fmt.Sprintf("{\n\tadmin off\n}\n:9 {\n\tencode zstd gzip\n\tparse /parse/* %s {\n\t\tcache\n\t}\n}", w.addr()))
		st := step{method: "GET", path: "/parse/classes/A", header: map[string]string{"Accept-Encoding": "gzip"}}
		for i := range 4 {
			rec := s.send(st)
			if rec.Header().Get("Content-Encoding") != "gzip" || unpacked(t, rec.Header(), rec.Body.Bytes()) != many {
				t.Errorf("request %d: %v", i, rec.Header())
			}
			st.header["If-None-Match"] = rec.Header().Get("Etag")
			if again := s.send(st); again.Code != http.StatusNotModified {
				t.Errorf("request %d: the client has %s, and is answered %d", i, rec.Header().Get("Etag"), again.Code)
			}
			delete(st.header, "If-None-Match")
		}
	}
}

// TestHead asks for heads: they are answered from what a GET has stored, and store nothing.
func TestHead(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache"))
	const path = "/parse/classes/A"
	length := map[string]string{"Content-Length": strconv.Itoa(len(found))}
	s.run(t, w, []step{
		{method: "HEAD", path: path, status: 201, cache: "fwd=miss", calls: 1}, // by this worker's lights
		{method: "GET", path: path, want: found, cache: "fwd=miss; stored", calls: 1},
		{method: "HEAD", path: path, cache: "hit", headers: length},
		{method: "HEAD", path: path, header: map[string]string{"If-None-Match": `W/"1"`}, status: 304, cache: "hit"},
		{method: "HEAD", path: path, header: map[string]string{"Cache-Control": "no-cache"}, status: 201, cache: "fwd=", calls: 1},
		{method: "HEAD", path: path, header: map[string]string{"Cache-Control": "no-store"}, status: 201, cache: "fwd=bypass", calls: 1},
		{method: "HEAD", path: path, header: map[string]string{"X-Parse-Master-Key": "m"}, status: 201, cache: "fwd=bypass", calls: 1},
		{method: "HEAD", path: path + "?limit=1", header: map[string]string{"Cache-Control": "only-if-cached"}, status: 504, cache: "fwd=miss"},
		{method: "HEAD", path: path, header: map[string]string{"Cache-Control": "only-if-cached"}, cache: "hit", headers: length},
	})
}

// BenchmarkPacked is a hit of 5 kB: as it is, as it is kept compressed, and compressed anew by Caddy's encode.
func BenchmarkPacked(b *testing.B) {
	for _, bb := range []struct{ name, directives, cache, accept, encoding string }{
		{"identity", "", "", "", ""},
		{"identity, precompress off", "", "precompress off", "", ""},
		{"gzip", "", "", "gzip", "gzip"},
		{"zstd", "", "", "zstd", "zstd"},
		{"gzip by encode", "encode gzip", "precompress off", "gzip", "gzip"},
		{"zstd by encode", "encode zstd", "precompress off", "zstd", "zstd"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			w := packedWorker(b, `"t"`)
			s := newSiteOf(b, fmt.Sprintf("{\n\tadmin off\n}\n:9 {\n\t%s\n\tparse /parse/* %s {\n\t\tcache {\n\t\t\t%s\n\t\t}\n\t}\n}", bb.directives, w.addr(), bb.cache))
			parseHandlers(s.server.Routes)[0].routes[0].ttl = defaultExactTTL
			st := step{method: "GET", path: "/parse/classes/A", header: map[string]string{}}
			if bb.accept != "" {
				st.header["Accept-Encoding"] = bb.accept
			}
			for range 3 {
				s.send(st)
			}
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				rec := s.send(st)
				if size = rec.Body.Len(); rec.Header().Get("Content-Encoding") != bb.encoding {
					b.Fatal(rec.Header())
				}
			}
			b.ReportMetric(float64(size), "bytes/answer")
		})
	}
}
