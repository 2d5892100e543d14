package bucket

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/files/storetest"
)

// memory is a provider of the library's bucket in memory, which has metadata and no tags.
type memory struct{ google }

func (memory) absent(context.Context, error) bool { return true }

// TestStore runs the stores' tests on the library's bucket in memory. services_test.go does so on servers.
func TestStore(t *testing.T) {
	b := memblob.OpenBucket(nil)
	s := &Store{bucket: b, provider: memory{}, prefix: "some/prefix_", patience: time.Minute, idle: func() {}}
	t.Cleanup(func() { b.Close() })
	storetest.Run(t, s, storetest.Traits{Metadata: true, List: func(t *testing.T) (keys []string) {
		for list := b.List(nil); ; {
			o, err := list.Next(t.Context())
			if err == io.EOF {
				return keys
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(o.Key, "some/prefix_") {
				t.Errorf("%s lies beside the prefix", o.Key)
			}
			keys = append(keys, o.Key)
		}
	}})
}

// openers open a store of each kind at an address.
var openers = map[string]func(ctx context.Context, at string, patience time.Duration) (*Store, error){
	"S3": func(ctx context.Context, at string, patience time.Duration) (*Store, error) {
		return OpenS3(ctx, S3{Bucket: "b", Region: "us-east-1", Endpoint: at, PathStyle: true, AccessKeyID: "id", SecretAccessKey: "secret", Patience: patience})
	},
	"GCS": func(ctx context.Context, at string, patience time.Duration) (*Store, error) {
		return OpenGCS(ctx, GCS{Bucket: "b", Endpoint: at, Emulator: true, Patience: patience})
	},
	"Azure": func(ctx context.Context, at string, patience time.Duration) (*Store, error) {
		return OpenAzure(ctx, Azure{
			Container: "b", ConnectionString: "AccountName=a;AccountKey=c2VjcmV0;BlobEndpoint=" + at + "/a", Patience: patience,
		})
	},
}

// calls are what a store may be asked.
func calls(s *Store) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Create": func(ctx context.Context) error {
			return s.Create(ctx, "a.txt", strings.NewReader("x"), 1, files.Properties{Unique: true})
		},
		"Open":       func(ctx context.Context) error { _, err := s.Open(ctx, "a.txt", files.Span{}); return err },
		"Properties": func(ctx context.Context) error { _, err := s.Properties(ctx, "a.txt"); return err },
		"Delete":     func(ctx context.Context) error { return s.Delete(ctx, "a.txt") },
	}
}

// TestTroubleIsNoMissingFile: a store that refuses, fails or isn't there never looks like one that lacks the file.
func TestTroubleIsNoMissingFile(t *testing.T) {
	answer := func(status int, header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, test := range []struct {
		name   string
		kinds  []string
		handle http.HandlerFunc // nil: nobody listens
	}{
		{"no permission", []string{"S3", "GCS", "Azure"}, answer(403, "", "")},
		{"wrong credentials", []string{"S3", "GCS", "Azure"}, answer(401, "", "")},
		{"a failing store", []string{"S3", "Azure"}, answer(501, "", "")},
		{"nobody there", []string{"S3", "GCS", "Azure"}, nil},
		{"no bucket", []string{"S3"}, answer(404, "", "")},
		{"no bucket at Google", []string{"GCS"}, answer(404, "Content-Type: application/json", `{"error":{"code":404,"message":"The specified bucket does not exist."}}`)},
		{"no container", []string{"Azure"}, answer(404, "x-ms-error-code: ContainerNotFound", "")},
	} {
		for _, kind := range test.kinds {
			t.Run(test.name+" "+kind, func(t *testing.T) {
				t.Parallel()
				at := httptest.NewServer(test.handle)
				if test.handle == nil {
					at.Close()
				}
				defer at.Close()
				s, err := openers[kind](t.Context(), at.URL, 2*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				for call, do := range calls(s) {
					err := do(t.Context())
					if err == nil || errors.Is(err, files.ErrNotFound) {
						t.Errorf("%s: %v", call, err)
					}
				}
			})
		}
	}
}

// TestMissingFile: what the stores say of an object that isn't there.
func TestMissingFile(t *testing.T) {
	for kind, handle := range map[string]http.HandlerFunc{
		"S3": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/b" && r.URL.Path != "/b/" { // the bucket is there
				w.WriteHeader(404)
			}
		},
		"GCS": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"error":{"code":404,"message":"No such object: b/a.txt"}}`)
		},
		"Azure": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-error-code", "BlobNotFound")
			w.WriteHeader(404)
		},
	} {
		t.Run(kind, func(t *testing.T) {
			at := httptest.NewServer(handle)
			defer at.Close()
			s, err := openers[kind](t.Context(), at.URL, 2*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for call, do := range calls(s) {
				if call == "Create" {
					continue
				}
				if err := do(t.Context()); !errors.Is(err, files.ErrNotFound) {
					t.Errorf("%s: %v", call, err)
				}
			}
		})
	}
}

// TestStalledStore: a store that says nothing is given up, and a caller who is gone isn't waited for.
func TestStalledStore(t *testing.T) {
	for kind, open := range openers {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var gone atomic.Int32
			release := make(chan struct{})
			at := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
					gone.Add(1)
				case <-release:
				}
			}))
			defer at.Close()
			defer close(release)
			s, err := open(t.Context(), at.URL, 300*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			s.prepared = true
			for call, do := range calls(s) {
				started := time.Now()
				if err := do(t.Context()); err == nil || errors.Is(err, files.ErrNotFound) {
					t.Errorf("%s: %v", call, err)
				}
				if took := time.Since(started); took > 5*time.Second {
					t.Errorf("%s took %s", call, took)
				}
				ctx, cancel := context.WithCancel(t.Context())
				s.patience = time.Minute
				time.AfterFunc(50*time.Millisecond, cancel)
				started = time.Now()
				if err := do(ctx); err == nil || errors.Is(err, files.ErrNotFound) {
					t.Errorf("%s of a caller who is gone: %v", call, err)
				}
				if took := time.Since(started); took > 5*time.Second {
					t.Errorf("%s of a caller who is gone took %s", call, took)
				}
				s.patience = 300 * time.Millisecond
				cancel()
			}
			if gone.Load() == 0 {
				t.Error("no request was ended")
			}
		})
	}
}

// TestNoMoreIsReadThanAsked looks at the ranges that reach the store.
func TestNoMoreIsReadThanAsked(t *testing.T) {
	const all = "0123456789"
	var asked []string
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			asked = append(asked, r.Header.Get("Range"))
		}
		w.Header().Set("ETag", `"e"`)
		http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), strings.NewReader(all))
	}))
	defer at.Close()
	s, err := openers["S3"](t.Context(), at.URL, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := s.Open(t.Context(), "a", files.Span{Offset: 3, Length: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(asked) != 0 {
		t.Errorf("before anything is read, %q was asked for", asked)
	}
	if _, err := f.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(io.LimitReader(f, 4)); err != nil || string(got) != all[3:7] {
		t.Errorf("%q, %v", got, err)
	}
	if len(asked) != 1 || asked[0] != "bytes=3-6" {
		t.Errorf("asked for %q", asked)
	}
}

// TestReplacedWhileRead: parts of two files are never put together.
func TestReplacedWhileRead(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	s := &Store{bucket: b, provider: memory{}, patience: time.Minute, idle: func() {}}
	if err := b.WriteAll(t.Context(), "a", []byte("first"), nil); err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(t.Context(), "a", files.Span{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := b.WriteAll(t.Context(), "a", []byte("another one"), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); !errors.Is(err, errChanged) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTagging(t *testing.T) {
	got := tagging(map[string]any{"b": "1&2 3", "a": true, "n": 4.5, "o": map[string]any{"x": "y"}, "none": ""})
	if want := "a=true&b=1%262%203&n=4.5&o=%7B%22x%22%3A%22y%22%7D"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}
