package standalone

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// buffer is a bytes.Buffer for several goroutines that tells when something is written.
type buffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written chan struct{}
}

func newBuffer() *buffer { return &buffer{written: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.written <- struct{}{}:
	default:
	}
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var address = regexp.MustCompile(`running on (http://[^" ]+)`)

// await returns the URL that the log names.
func (b *buffer) await(t *testing.T) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if m := address.FindStringSubmatch(b.String()); m != nil {
			return m[1]
		}
		select {
		case <-b.written:
		case <-deadline:
			t.Fatalf("no address in the log:\n%s", b)
		}
	}
}

func get(t *testing.T, url string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestRunServesUntilToldToStop(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	config := `{"appId":"fromFile","masterKey":"verysecret","databaseURI":"sqlite://` + dir + `/p.db","host":"127.0.0.1","port":0,"logsFolder":"x","jsonLogs":true}`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stderr := newBuffer()
	code := make(chan int, 1)
	go func() { code <- Run(ctx, []string{file, "--appId", "fromFlag"}, nil, stderr) }()
	base := stderr.await(t)
	if status, body := get(t, base+"/health"); status != 200 || body != `{"status":"ok"}` {
		t.Errorf("health: %d %s", status, body)
	}
	if status, body := get(t, base+"/serverInfo", "X-Parse-Application-Id", "fromFlag", "X-Parse-Master-Key", "verysecret"); status != 200 {
		t.Errorf("serverInfo: %d %s", status, body)
	}
	stop()
	select {
	case c := <-code:
		if c != 0 {
			t.Errorf("exit code %d", c)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it doesn't stop")
	}
	log := stderr.String()
	if !strings.Contains(log, `"appId":"fromFlag"`) || !strings.Contains(log, "option logsFolder has no effect") {
		t.Errorf("the log lacks the app id or the warning:\n%s", log)
	}
	if strings.Contains(log, "verysecret") {
		t.Errorf("the log tells the master key:\n%s", log)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no keys", nil, "appId and masterKey are required"},
		{"unknown flag", []string{"--nope", "1"}, "error: unknown option '--nope'"},
		{"missing file", []string{"nope.json"}, "cannot read the configuration"},
		{"MongoDB", []string{"--appId", "a", "--masterKey", "topsecret", "--databaseURI", "mongodb://h/db"}, "this server doesn't support MongoDB"},
		{"PostgreSQL", []string{"--appId", "a", "--masterKey", "topsecret", "--databaseURI", "postgres://u:topsecret@127.0.0.1:1/db", "--port", "0", "--host", "127.0.0.1"}, "the database is not available"},
		{"bad host", []string{"--appId", "a", "--masterKey", "topsecret", "--host", "256.1.1.1"}, "cannot listen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stderr := newBuffer()
			if code := Run(t.Context(), test.args, nil, stderr); code != 1 {
				t.Errorf("exit code %d", code)
			}
			lines := strings.Split(strings.TrimRight(stderr.String(), "\n"), "\n")
			if last := lines[len(lines)-1]; !strings.Contains(last, test.want) {
				t.Errorf("last line %q, want %q", last, test.want)
			}
			if strings.Contains(stderr.String(), "topsecret") {
				t.Errorf("the log tells the master key:\n%s", stderr)
			}
		})
	}
	stderr := newBuffer()
	if code := Run(t.Context(), []string{"--help"}, nil, stderr); code != 0 || !strings.Contains(stderr.String(), "Usage:") {
		t.Errorf("help: exit code %d, %s", code, stderr)
	}
}
