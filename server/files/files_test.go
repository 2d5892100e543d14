package files

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// blocked is parse-server's default of fileUpload.fileExtensions, which needs look-ahead.
const blocked = `^(?!([xXsS]?[hH][tT][mM][lL]?(\+[xX][mM][lL])?|[xX][hH][tT]|[sS][vV][gG]([zZ]|\+[xX][mM][lL])?|[xX][mM][lL]|[xX][sS][lL][tT]?(\+[xX][mM][lL])?|[xX][sS][dD]|[rR][nN][gG]|[rR][dD][fF](\+[xX][mM][lL])?|[oO][wW][lL]|[mM][aA][tT][hH][mM][lL](\+[xX][mM][lL])?)$)`

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
