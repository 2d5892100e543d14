package files

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// blocked is parse-server's default of fileUpload.fileExtensions, which needs look-ahead.
const blocked = `^(?!([xXsS]?[hH][tT][mM][lL]?(\+[xX][mM][lL])?|[xX][hH][tT]|[sS][vV][gG]([zZ]|\+[xX][mM][lL])?|[xX][mM][lL]|[xX][sS][lL][tT]?(\+[xX][mM][lL])?|[xX][sS][dD]|[rR][nN][gG]|[rR][dD][fF](\+[xX][mM][lL])?|[oO][wW][lL]|[mM][aA][tT][hH][mM][lL](\+[xX][mM][lL])?)$)`

func open(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func TestStoreRoundTrip(t *testing.T) {
	s, dir := open(t)
	for _, name := range []string{"a.txt", "d/e/a.txt", "with space~@-_.bin"} {
		size, err := s.Create(name, strings.NewReader("hello"), 5)
		if err != nil || size != 5 {
			t.Fatalf("Create(%s) = %d, %v", name, size, err)
		}
		f, err := s.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(data) != "hello" || f.Size != 5 {
			t.Errorf("read %q (%d bytes), %v", data, f.Size, err)
		}
		if err := s.Delete(name); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("a deleted file opens: %v", err)
		}
		if err := s.Delete(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNothingOfAFailedUploadIsKept(t *testing.T) {
	s, dir := open(t)
	if _, err := s.Create("a", strings.NewReader("123456"), 5); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	broken := io.MultiReader(strings.NewReader("12"), errReader{})
	if _, err := s.Create("a", broken, 5); err == nil {
		t.Error("a broken upload succeeded")
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("connection lost") }

func TestNoPathLeadsOut(t *testing.T) {
	s, dir := open(t)
	secret := filepath.Join(filepath.Dir(dir), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(dir), filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"../secret", "a/../../secret", "/etc/passwd", "link", "up/secret", "..", ".", "", ".hidden", "a//b", "a\x00b", "a\\..\\b",
		"./secret", "up", strings.Repeat("a", 600),
	} {
		if f, err := s.Open(name); err == nil {
			f.Close()
			t.Errorf("Open(%q) succeeded", name)
		}
		if _, err := s.Create(name, strings.NewReader("x"), 10); err == nil && name != "link" && name != "up" { // the link itself is inside
			t.Errorf("Create(%q) succeeded", name)
		}
		if err := s.Delete(name); err == nil && name != "link" && name != "up" { // the link itself is inside
			t.Errorf("Delete(%q) succeeded", name)
		}
	}
	if data, err := os.ReadFile(secret); err != nil || string(data) != "s" {
		t.Errorf("the file outside is %q, %v", data, err)
	}
}

func TestAbandonedUploadsAreRemoved(t *testing.T) {
	_, dir := open(t)
	old, fresh := filepath.Join(dir, tempPrefix+"old"), filepath.Join(dir, tempPrefix+"fresh")
	for _, f := range []string{old, fresh} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Error("the old upload is still there")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error("an upload under way was removed")
	}
}

func TestNames(t *testing.T) {
	for _, test := range []struct {
		name string
		want error
	}{
		{"a.txt", nil}, {"_x", nil}, {"A b~@-.c", nil}, {strings.Repeat("a", 128), nil},
		{strings.Repeat("a", 129), ErrNameTooLong}, {".x", ErrNameCharacters}, {"a/b", ErrNameCharacters}, {"", ErrNameCharacters},
		{"a\nb", ErrNameCharacters}, {"ü", ErrNameCharacters}, {"a\x00", ErrNameCharacters}, {"..", ErrNameCharacters},
	} {
		if got := CheckName(test.name); !errors.Is(got, test.want) {
			t.Errorf("CheckName(%q) = %v, want %v", test.name, got, test.want)
		}
	}
	for _, test := range []struct {
		dir  string
		want error
	}{
		{"a", nil}, {"a/b-c_d", nil}, {"", ErrDirectoryEmpty}, {"a..b", ErrDirectoryDots}, {"/a", ErrDirectoryEnds}, {"a/", ErrDirectoryEnds},
		{"a//b", ErrDirectorySlashes}, {"metadata/x", ErrDirectoryReserved}, {"metadatax", nil}, {"-a", ErrDirectoryCharacters},
		{"a/-b", ErrDirectoryCharacters}, {strings.Repeat("a", 257), ErrDirectoryTooLong},
	} {
		if got := CheckDirectory(test.dir); !errors.Is(got, test.want) {
			t.Errorf("CheckDirectory(%q) = %v, want %v", test.dir, got, test.want)
		}
	}
}

func TestStoredName(t *testing.T) {
	for _, test := range []struct{ name, typ, want string }{
		{"a.txt", "image/png", "a.txt"}, {"a", "image/png", "a.png"}, {"a", "image/jpeg; x=y", "a.jpg"}, {"a.", "text/plain", "a.txt"},
		{"a", "what/ever", "a"}, {"a", "", "a"},
	} {
		if got := StoredName(test.name, test.typ, true); got != test.want {
			t.Errorf("StoredName(%q, %q) = %q, want %q", test.name, test.typ, got, test.want)
		}
	}
	one, two := StoredName("a.txt", "", false), StoredName("a.txt", "", false)
	if one == two || len(one) != 32+len("_a.txt") || !strings.HasSuffix(one, "_a.txt") {
		t.Errorf("%q and %q don't start with 32 random digits", one, two)
	}
}

func TestFilter(t *testing.T) {
	def, err := NewFilter([]string{blocked})
	if err != nil {
		t.Fatal(err)
	}
	all, _ := NewFilter([]string{"*"})
	images, _ := NewFilter([]string{"^(png|jpe?g)$"})
	for _, test := range []struct {
		filter    string
		name, typ string
		want      string
	}{
		{"default", "a.txt", "text/plain", ""},
		{"default", "a.html", "", "File upload of extension html is disabled."},
		{"default", "a.HtM", "", "File upload of extension HtM is disabled."},
		{"default", "a.svgz", "", "File upload of extension svgz is disabled."},
		{"default", "a.xhtml", "", "File upload of extension xhtml is disabled."},
		{"default", "a.xslt", "", "File upload of extension xslt is disabled."},
		{"default", "a.html ", "", "File upload of extension html is disabled."},
		{"default", "a", "text/html", "File upload of extension html is disabled."},
		{"default", "a", "text/html;charset=utf-8", "File upload of extension html is disabled."},
		{"default", "a.xyz", "image/svg+xml", "File upload of extension svg+xml is disabled."},
		{"default", "a.xyz", "IMAGE/SVG+XML ; x", "File upload of extension SVG+XML is disabled."},
		{"default", "a.xyz", ";text/html", "Invalid Content-Type."},
		{"default", "a.xyz", "svg", "File upload of extension svg is disabled."},
		{"default", "a.xyz", "image//svg+xml", "Invalid Content-Type."},
		{"default", "a.xyz", "text/plain,text/html", "Invalid Content-Type."},
		{"default", "a.xyz", "application/vnd.api+json", ""},
		{"default", "a.png", "text/html", ""}, // served as image/png
		{"default", "a", "", ""},
		{"all", "a.html", "text/html", ""},
		{"images", "a.jpeg", "", ""},
		{"images", "a.txt", "", "File upload of extension txt is disabled."},
	} {
		f := map[string]*Filter{"default": def, "all": all, "images": images}[test.filter]
		got := ""
		if err := f.Check(test.name, test.typ); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: Check(%q, %q) = %q, want %q", test.filter, test.name, test.typ, got, test.want)
		}
	}
	if _, err := NewFilter([]string{"("}); err == nil {
		t.Error("an invalid expression was accepted")
	}
}

func TestFilterStopsRunawayExpressions(t *testing.T) {
	f, err := NewFilter([]string{`^(?=x)?(a+)+$`})
	if err != nil {
		t.Fatal(err)
	}
	name := "a." + strings.Repeat("a", 100) + "!"
	done := make(chan error, 1)
	go func() { done <- f.Check(name, "") }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("an extension that can't match was allowed")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the match doesn't end")
	}
}

func FuzzStoreNames(f *testing.F) {
	for _, s := range []string{"a", "../a", "a/b", "a\x00", ".a"} {
		f.Add(s)
	}
	dir := f.TempDir()
	inside := filepath.Join(dir, "in")
	s, err := Open(inside)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if _, err := s.Create(name, bytes.NewReader([]byte("x")), 1); err == nil {
			if checkStored(name) != nil {
				t.Errorf("%q was stored", name)
			}
			if err := s.Delete(name); err != nil {
				t.Errorf("%q can't be deleted: %v", name, err)
			}
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Fatalf("%q led out: %v", name, entries)
		}
	})
}
