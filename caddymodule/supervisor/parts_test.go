//go:build unix

package supervisor

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	for _, test := range []struct {
		n    int
		r    float64
		want time.Duration
	}{
		{1, 0, 100 * time.Millisecond},
		{1, 0.5, 75 * time.Millisecond},
		{2, 0, 200 * time.Millisecond},
		{5, 0, 1600 * time.Millisecond},
		{9, 0, 25600 * time.Millisecond},
		{10, 0, 30 * time.Second},
		{1 << 40, 0, 30 * time.Second},
		{1 << 40, 0.99999, 15 * time.Second},
	} {
		if got := backoff(test.n, 100*time.Millisecond, 30*time.Second, test.r); got.Round(time.Millisecond) != test.want {
			t.Errorf("backoff(%d, %v) = %v, want %v", test.n, test.r, got, test.want)
		}
	}
}

func TestForwardLines(t *testing.T) {
	long := strings.Repeat("a", maxLine)
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"lines", "one\ntwo\r\n\n  \nthree", []string{"one", "two", "three"}},
		{"almost too long", long[1:] + "\nx\n", []string{long[1:], "x"}},
		{"too long", long + "bbb\nx\n", []string{long + "… (cut)", "x"}},
		{"much too long", long + long + long + "b", []string{long + "… (cut)"}},
		{"nothing", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			forwardLines(strings.NewReader(test.in), func(b []byte) { got = append(got, string(b)) })
			if !slices.Equal(got, test.want) {
				t.Errorf("got %d lines %.100q", len(got), got)
			}
		})
	}
}

func TestSocketDir(t *testing.T) {
	t.Run("the first place that is short enough", func(t *testing.T) {
		deep := filepath.Join(t.TempDir(), strings.Repeat("d", 90))
		if err := os.Mkdir(deep, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := makeSocketDir(deep); err == nil || !strings.Contains(err.Error(), "too deep") {
			t.Errorf("got %v", err)
		}
		if left, _ := os.ReadDir(deep); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		t.Setenv("XDG_RUNTIME_DIR", deep)
		dir, err := makeSocketDir("")
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(dir)
		if strings.HasPrefix(dir, deep) {
			t.Error("it is in the deep place")
		}
	})
	t.Run("removing touches sockets only", func(t *testing.T) {
		place, err := os.MkdirTemp("", "t")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(place)
		dir, err := makeSocketDir(place)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "1-1.sock"), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		precious := filepath.Join(dir, "precious")
		os.WriteFile(precious, nil, 0o600)
		if err := removeSocketDir(dir); err == nil {
			t.Error("a directory with a file in it was removed")
		}
		if _, err := os.Stat(precious); err != nil {
			t.Error(err)
		}
		os.Remove(precious)
		if err := removeSocketDir(dir); err != nil {
			t.Error(err)
		}
		if err := removeSocketDir(dir); err != nil {
			t.Errorf("again: %v", err)
		}
		link := filepath.Join(place, dirPrefix+"link")
		os.Symlink(place, link)
		if removeSocketDir(link) == nil || removeSocketDir(place) == nil {
			t.Error("something else was removed")
		}
	})
}

func TestEnvironment(t *testing.T) {
	t.Setenv("PARSE_SERVER_MASTER_KEY", "secret")
	t.Setenv("PATH", "/bin")
	got := environment([]string{"A=1"})
	if !slices.Contains(got, "PATH=/bin") || got[len(got)-1] != "A=1" {
		t.Errorf("got %v", got)
	}
	if slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "secret") }) {
		t.Errorf("a secret is in %v", got)
	}
}
