package testservices

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// recorder is a testing.TB that notes how a test was ended.
type recorder struct {
	testing.TB
	skipped string
}

func (r *recorder) Helper() {}
func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = format
	runtime.Goexit()
}

func TestNeed(t *testing.T) {
	for _, c := range []struct {
		name, all string
		runs      bool
	}{
		{"plain go test", "", false},
		{"another value", "0", false},
		{"make test", "1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(AllVariable, c.all)
			r, went := &recorder{TB: t}, false
			done := make(chan struct{})
			go func() {
				defer close(done)
				Need(r, "a server")
				went = true
			}()
			<-done
			if went != c.runs || (r.skipped == "") != c.runs {
				t.Errorf("went on: %v, skipped: %q; want it to run: %v", went, r.skipped, c.runs)
			}
		})
	}
}

func TestRedis(t *testing.T) {
	var address string
	t.Run("runs", func(t *testing.T) {
		r := StartRedis(t)
		address = r.Address
		options, err := redis.ParseURL(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(options)
		defer client.Close()
		if err := client.Set(context.Background(), "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Get(context.Background(), "k").Result(); err != nil || got != "v" {
			t.Errorf("got %q, %v", got, err)
		}
		r.Kill()
		if err := client.Ping(context.Background()).Err(); err == nil {
			t.Error("it was killed and answers")
		}
		r.Restart(t)
		if n, err := client.Exists(context.Background(), "k").Result(); err != nil || n != 0 {
			t.Errorf("after a restart there are %d keys, %v", n, err)
		}
		t.Run("behind a slow proxy", func(t *testing.T) {
			p := StartProxy(t, r.Address)
			options, err := redis.ParseURL(r.At(p.Address))
			if err != nil {
				t.Fatal(err)
			}
			client := redis.NewClient(options)
			defer client.Close()
			for _, delay := range []time.Duration{0, 100 * time.Millisecond} {
				p.Delay(delay)
				begin := time.Now()
				if err := client.Ping(context.Background()).Err(); err != nil || time.Since(begin) < 2*delay {
					t.Errorf("with a delay of %s it answers after %s, %v", delay, time.Since(begin), err)
				}
			}
		})
	})
	Need(t, "redis-server")
	client := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1})
	defer client.Close()
	if err := client.Ping(context.Background()).Err(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("after the test the server still answers: %v", err)
	}
}

func TestPostgreSQL(t *testing.T) {
	p := StartPostgreSQL(t)
	if err := p.SQL("parse", "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, sql, want string }{
		{"rows", "SELECT n FROM t ORDER BY n", "1\n2"},
		{"PostGIS", "SELECT ST_AsText(ST_MakePoint(1, 2))", "POINT(1 2)"},
		{"no superfluous fsync", "SHOW fsync", "off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := p.Query("parse", c.sql)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	if _, err := p.Query("parse", "SELECT * FROM nothing"); err == nil {
		t.Error("an SQL error got lost")
	}
}

func TestParseServers(t *testing.T) {
	p := StartPostgreSQL(t)
	var over time.Time
	t.Run("run", func(t *testing.T) {
		servers := StartParseServers(t, ParseServers{
			Folder:  "../../caddymodule/e2e",
			Count:   3,
			Options: map[string]any{"appId": "app", "masterKey": "master", "databaseURI": p.URI},
		})
		for _, s := range servers {
			res, err := http.Get(s.URL() + "/health")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d", s.URL(), res.StatusCode)
			}
		}
		servers[0].Kill()
		if _, err := http.Get(servers[0].URL() + "/health"); err == nil {
			t.Error("a killed server answers")
		}
		over = time.Now()
	})
	if took := time.Since(over); took >= stopTimeout {
		t.Errorf("after the test they run for another %s", took)
	}
}

func TestNodeVersion(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		version string
		ok      bool
	}{
		{"v18.20.4", false}, {"v20.18.9", false}, {"v20.19.0", true}, {"v22.1.0", true}, {"v9.99.0", false}, {"nonsense", false}, {"", false},
	} {
		t.Run("version "+c.version, func(t *testing.T) {
			program := writeProgram(t, dir, c.version)
			if got := nodeIsNew(program); got != c.ok {
				t.Errorf("new enough: %v, want %v", got, c.ok)
			}
		})
	}
	if nodeIsNew(dir + "/absent") {
		t.Error("a program that isn't there is new enough")
	}
}

func TestProcessThatEndsIsReported(t *testing.T) {
	p, err := StartProcess(t, "a failing server", exec.Command("sh", "-c", "echo no such database >&2; exit 3"), os.Interrupt)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Await(func() error { return context.DeadlineExceeded })
	if err == nil || !strings.Contains(err.Error(), "no such database") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("the error doesn't say why: %v", err)
	}
}
