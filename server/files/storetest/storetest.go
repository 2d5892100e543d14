// Package storetest has the tests that every store of files must pass, whatever it keeps them in.
//
// It must not know of any one store.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/files"
)

// Store is what is tested.
type Store interface {
	Create(ctx context.Context, name string, content io.Reader, limit int64, p files.Properties) error
	Open(ctx context.Context, name string, part files.Span) (*files.File, error)
	Properties(ctx context.Context, name string) (*files.Properties, error)
	Delete(ctx context.Context, name string) error
}

// Traits are what stores differ in.
type Traits struct {
	// Metadata and Tags: they are kept.
	Metadata, Tags bool
	// Sticky says that a server gives an object the metadata of the one that it replaces, which is its own mistake.
	Sticky bool
	// List names all that is kept in the store, half-stored files too; nil: it can't be told.
	List func(t *testing.T) []string
}

// Run runs the tests on an empty store.
func Run(t *testing.T, s Store, traits Traits) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s Store, traits Traits)
	}{
		{"what is stored is read", roundTrip},
		{"a part is read from where it begins", parts},
		{"a large file", large},
		{"one more of the same name replaces the first", replaces},
		{"metadata and tags", properties},
		{"a file that isn't there", absent},
		{"names that lead elsewhere", names},
		{"a failed upload leaves nothing behind", failed},
		{"a cancelled caller is obeyed", cancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s, traits) })
	}
}

func put(t *testing.T, s Store, name, content string, p files.Properties) {
	t.Helper()
	if err := s.Create(t.Context(), name, strings.NewReader(content), int64(len(content)), p); err != nil {
		t.Fatalf("Create(%s): %v", name, err)
	}
}

func get(t *testing.T, s Store, name string, part files.Span) string {
	t.Helper()
	f, err := s.Open(t.Context(), name, part)
	if err != nil {
		t.Fatalf("Open(%s): %v", name, err)
	}
	defer f.Close()
	if _, err := f.Seek(part.Offset, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var r io.Reader = f
	if part.Length > 0 {
		r = io.LimitReader(f, part.Length)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("cannot read %s: %v", name, err)
	}
	return string(data)
}

func roundTrip(t *testing.T, s Store, _ Traits) {
	for _, name := range []string{"a.txt", "d/e/a.txt", "with space~@-_.bin", "0123_ä 100%+?#&.txt", "it's(1)!*.txt"} {
		for _, content := range []string{"hello", ""} {
			before := time.Now().Add(-time.Minute)
			put(t, s, name, content, files.Properties{ContentType: "text/plain"})
			f, err := s.Open(t.Context(), name, files.Span{})
			if err != nil {
				t.Fatalf("Open(%s): %v", name, err)
			}
			if f.Size != int64(len(content)) || f.Modified.Before(before) || f.Modified.After(time.Now().Add(time.Minute)) {
				t.Errorf("%s: %d bytes, modified at %s", name, f.Size, f.Modified)
			}
			if n := len(f.ETag); n < 3 || f.ETag[0] != '"' || f.ETag[n-1] != '"' {
				t.Errorf("%s has the entity tag %s", name, f.ETag)
			}
			f.Close()
			if got := get(t, s, name, files.Span{}); got != content {
				t.Errorf("%s holds %q, not %q", name, got, content)
			}
		}
		if err := s.Delete(t.Context(), name); err != nil {
			t.Fatalf("Delete(%s): %v", name, err)
		}
		if _, err := s.Open(t.Context(), name, files.Span{}); !errors.Is(err, files.ErrNotFound) {
			t.Errorf("a deleted file opens: %v", err)
		}
	}
}

func parts(t *testing.T, s Store, _ Traits) {
	const all = "0123456789"
	put(t, s, "parts", all, files.Properties{})
	for _, p := range []files.Span{{}, {Offset: 0, Length: 1}, {Offset: 3, Length: 4}, {Offset: 9, Length: 1}, {Offset: 5}, {Offset: 8, Length: 2}, {Offset: 10}} {
		want := all[p.Offset:]
		if p.Length > 0 {
			want = want[:p.Length]
		}
		if got := get(t, s, "parts", p); got != want {
			t.Errorf("%+v of %s is %q, not %q", p, all, got, want)
		}
	}
	// The part is a hint: reading elsewhere works as well.
	f, err := s.Open(t.Context(), "parts", files.Span{Offset: 2, Length: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{2, 0, 7} {
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || string(got) != all[at:] {
			t.Errorf("from %d on: %q, %v", at, got, err)
		}
	}
	if end, err := f.Seek(0, io.SeekEnd); err != nil || end != int64(len(all)) {
		t.Errorf("the end is at %d, %v", end, err)
	}
}

// pattern is content that differs everywhere.
type pattern struct{ at, size int64 }

func (p *pattern) Read(b []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.size-p.at))
	for i := range b[:n] {
		at := p.at + int64(i)
		b[i] = byte(at ^ at>>8*7 ^ at>>16*13)
	}
	p.at += int64(n)
	return n, nil
}

func large(t *testing.T, s Store, _ Traits) {
	const size = 20<<20 + 345 // several parts: S3 takes up to 16 MB as one
	if err := s.Create(t.Context(), "large", &pattern{size: size}, size, files.Properties{}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{0, 5<<20 - 3, 16 << 20, size - 5} {
		n := min(1<<20, size-at)
		f, err := s.Open(t.Context(), "large", files.Span{Offset: at, Length: n})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(f, n))
		f.Close()
		want, _ := io.ReadAll(&pattern{at, at + n})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes from %d on aren't what was stored (%v)", n, at, err)
		}
	}
	if err := s.Delete(t.Context(), "large"); err != nil {
		t.Error(err)
	}
}

func replaces(t *testing.T, s Store, traits Traits) {
	put(t, s, "twice.txt", "first", files.Properties{Metadata: map[string]any{"a": "1"}})
	put(t, s, "twice.txt", "second one", files.Properties{})
	if got := get(t, s, "twice.txt", files.Span{}); got != "second one" {
		t.Errorf("it holds %q", got)
	}
	if p, err := s.Properties(t.Context(), "twice.txt"); err != nil || len(p.Metadata) > 0 && !traits.Sticky {
		t.Errorf("the metadata is %v, %v", p, err)
	}
}

func properties(t *testing.T, s Store, traits Traits) {
	p := files.Properties{ContentType: "image/png", Metadata: map[string]any{"author": "Elmer Fudd", "pages": "7"}, Tags: map[string]any{"kind": "a+b = c", "year": "1937"}}
	put(t, s, "tagged.png", "x", p)
	got, err := s.Properties(t.Context(), "tagged.png")
	if err != nil {
		t.Fatal(err)
	}
	if got.ContentType != p.ContentType {
		t.Errorf("the content type is %s", got.ContentType)
	}
	for _, kind := range []struct {
		name      string
		kept      bool
		want, got map[string]any
	}{{"metadata", traits.Metadata, p.Metadata, got.Metadata}, {"tags", traits.Tags, p.Tags, got.Tags}} {
		if !kind.kept {
			continue
		}
		if len(kind.got) != len(kind.want) {
			t.Errorf("the %s are %v", kind.name, kind.got)
		}
		for name, v := range kind.want {
			if kind.got[name] != v {
				t.Errorf("%s of the %s is %v, not %v", name, kind.name, kind.got[name], v)
			}
		}
	}
	if err := s.Delete(t.Context(), "tagged.png"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "tagged.png", "x", files.Properties{})
	if got, err = s.Properties(t.Context(), "tagged.png"); err != nil || len(got.Metadata)+len(got.Tags) > 0 {
		t.Errorf("another file of the same name has the first one's properties: %+v, %v", got, err)
	}
}

func absent(t *testing.T, s Store, _ Traits) {
	if _, err := s.Open(t.Context(), "absent", files.Span{}); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("Open: %v", err)
	}
	if _, err := s.Properties(t.Context(), "absent"); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("Properties: %v", err)
	}
	if err := s.Delete(t.Context(), "absent"); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("Delete: %v", err)
	}
}

func names(t *testing.T, s Store, _ Traits) {
	for _, name := range []string{
		"../secret", "a/../../secret", "/etc/passwd", "..", ".", "", ".hidden", "a//b", "a\x00b", "a\\..\\b", "./secret", "a/", "a/.b", "a\nb", "\xff",
		strings.Repeat("a", 1025),
	} {
		if err := s.Create(t.Context(), name, strings.NewReader("x"), 10, files.Properties{}); err == nil {
			t.Errorf("Create(%q) succeeded", name)
		}
		if _, err := s.Open(t.Context(), name, files.Span{}); !errors.Is(err, files.ErrNotFound) {
			t.Errorf("Open(%q): %v", name, err)
		}
		if err := s.Delete(t.Context(), name); !errors.Is(err, files.ErrNotFound) {
			t.Errorf("Delete(%q): %v", name, err)
		}
	}
}

var errBroken = errors.New("connection lost")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func failed(t *testing.T, s Store, traits Traits) {
	before := 0
	if traits.List != nil {
		before = len(traits.List(t))
	}
	const parts = 18 << 20 // so much that a multipart upload has begun
	for _, test := range []struct {
		name    string
		content io.Reader
		limit   int64
		want    error
	}{
		{"small-and-too-large", strings.NewReader("123456"), 5, files.ErrTooLarge},
		{"small-and-broken", io.MultiReader(strings.NewReader("12"), broken{}), 5, errBroken},
		{"large-and-too-large", &pattern{size: parts + 1}, parts, files.ErrTooLarge},
		{"large-and-broken", io.MultiReader(&pattern{size: parts}, broken{}), 2 * parts, errBroken},
	} {
		if err := s.Create(t.Context(), test.name, test.content, test.limit, files.Properties{}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, not %v", test.name, err, test.want)
		}
		if _, err := s.Open(t.Context(), test.name, files.Span{}); !errors.Is(err, files.ErrNotFound) {
			t.Errorf("%s is there: %v", test.name, err)
		}
	}
	if traits.List != nil {
		if left := traits.List(t); len(left) > before {
			t.Errorf("%d things were kept before, now it's %q", before, left)
		}
	}
}

// endless ends when its context does, as the body of a request does whose client goes away.
type endless struct{ ctx context.Context }

func (e endless) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func cancelled(t *testing.T, s Store, _ Traits) {
	put(t, s, "there", "x", files.Properties{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Create(ctx, "endless", endless{ctx}, 1<<40, files.Properties{}); err == nil {
		t.Error("an upload without an end succeeded")
	}
	if _, err := s.Open(t.Context(), "endless", files.Span{}); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("what was stored of it: %v", err)
	}
}
