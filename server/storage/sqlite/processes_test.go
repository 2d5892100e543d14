package sqlite

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"go.uber.org/goleak"
)

// TestMain lets the test binary be a second process: with the variable set it hammers a database and tells, line by
// line, which writes were acknowledged.
func TestMain(m *testing.M) {
	if job := os.Getenv("SQLITE_TEST_JOB"); job != "" {
		if err := second(job, os.Getenv("SQLITE_TEST_FILE")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The engine for patterns that RE2 can't express stops its clock by itself, a second later.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

// rounds is how many writes each of four goroutines of a process does.
const rounds = 50

func second(job, path string) error {
	s, err := Open(ctx, Options{URI: "sqlite://" + path, App: "app"})
	if err != nil {
		return err
	}
	switch job {
	case "hammer":
		err = hammer(s, "second", rounds, nil)
	case "for ever":
		err = hammer(s, "second", 1<<30, func(id string) { fmt.Println(id) })
	}
	if err != nil {
		return err
	}
	return s.Close()
}

// hammer inserts objects and counts up in four goroutines.
func hammer(s *Store, name string, n int, acknowledged func(id string)) error {
	errs := make(chan error, 4)
	var mu sync.Mutex
	for g := range 4 {
		go func() {
			for i := range n {
				id := fmt.Sprintf("%s-%d-%d", name, g, i)
				if err := increment(s, id); err != nil {
					errs <- err
					return
				}
				if acknowledged != nil {
					mu.Lock()
					acknowledged(id)
					mu.Unlock()
				}
			}
			errs <- nil
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// increment inserts an object with an id and counts the counter up, by reading and writing it.
func increment(s *Store, id string) error {
	return try(s, func(tx storage.Tx) error {
		c, err := tx.PutClass(ctx, schema.New("Count", map[string]schema.Field{"n": {Type: schema.Number}}))
		if err != nil {
			return err
		}
		if err := tx.Insert(ctx, c, storage.Object{"objectId": id}); err != nil {
			return err
		}
		counter, err := tx.Lock(ctx, c, "counter")
		if err != nil {
			return err
		}
		if counter == nil {
			return tx.Insert(ctx, c, storage.Object{"objectId": "counter", "n": 1.0})
		}
		return tx.Update(ctx, c, "counter", storage.Object{"n": counter["n"].(float64) + 1})
	})
}

func child(t *testing.T, job, path string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "SQLITE_TEST_JOB="+job, "SQLITE_TEST_FILE="+path)
	return cmd
}

func counted(t *testing.T, s *Store) (n float64, objects int) {
	t.Helper()
	n, _ = get(t, s, "Count", "counter")["n"].(float64)
	return n, len(strings.Fields(all(t, s, "Count"))) - 1
}

func TestTwoStoresOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er", "parse.db")
	stores := make([]*Store, 2)
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			s, err := Open(ctx, Options{URI: "sqlite://" + path})
			if err != nil {
				errs[i] = err
				return
			}
			stores[i] = s
			errs[i] = hammer(s, fmt.Sprint(i), rounds, nil)
		})
	}
	wg.Wait()
	for i, s := range stores {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		defer s.Close()
		if n, objects := counted(t, s); n != 8*rounds || objects != 8*rounds {
			t.Errorf("store %d counted %v and %d objects, want %d", i, n, objects, 8*rounds)
		}
	}
}

func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "parse.db")
	var children []*exec.Cmd
	var outputs []*strings.Builder
	for range 2 {
		cmd := child(t, "hammer", path)
		out := &strings.Builder{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children, outputs = append(children, cmd), append(outputs, out)
	}
	s := open(t, path)
	// The two children insert the same ids: one of each pair fails, and whoever fails ends.
	ours := hammer(s, "first", rounds, nil)
	ended := 0
	for i, cmd := range children {
		if err := cmd.Wait(); err != nil {
			ended++
			if !strings.Contains(outputs[i].String(), "duplicate value for the unique field objectId") {
				t.Errorf("child: %v, %s", err, outputs[i])
			}
		}
	}
	if ours != nil {
		t.Fatal(ours)
	}
	n, objects := counted(t, s)
	if int(n) != objects || objects < 4*rounds+1 || ended == 0 && objects != 8*rounds {
		t.Errorf("counted %v and %d objects, %d children ended early", n, objects, ended)
	}
}

// TestKill: what was acknowledged survives the death of the process that wrote it, and the others go on.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "parse.db")
	s := open(t, path)
	for round := range 3 {
		cmd := child(t, "for ever", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Fatal(lines.Text())
			}
			acknowledged = append(acknowledged, lines.Text())
			if len(acknowledged) == 40*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		if err := increment(s, fmt.Sprint("after-", round)); err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for _, o := range allObjects(t, s) {
			there[o] = true
		}
		for i, id := range acknowledged {
			// The last line may be cut off.
			if !there[id] && i < len(acknowledged)-1 {
				t.Errorf("%s was acknowledged and is gone", id)
			}
		}
		if n, objects := counted(t, s); int(n) != objects {
			t.Errorf("counted %v and %d objects", n, objects)
		}
		put(t, s, func(tx storage.Tx) error {
			sc, err := tx.Schema(ctx)
			if err != nil {
				return err
			}
			c := sc.Class("Count")
			for id := range there {
				if strings.HasPrefix(id, "second") {
					if err := tx.Delete(ctx, c, id); err != nil {
						return err
					}
				}
			}
			return tx.Update(ctx, c, "counter", storage.Object{"n": float64(round + 1)})
		})
	}
}

func allObjects(t *testing.T, s *Store) (out []string) {
	t.Helper()
	err := s.Read(ctx, func(sn storage.Snapshot) error {
		sc, err := sn.Schema(ctx)
		if err != nil {
			return err
		}
		return sn.Find(ctx, &storage.Find{Schema: sc, Class: sc.Class("Count"), Limit: -1, Columns: []string{}}, func(r storage.Row) error {
			out = append(out, r.ObjectID())
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTurnsAreFair: a process that always has writes waiting doesn't keep another one from writing.
func TestTurnsAreFair(t *testing.T) {
	path := filepath.Join(t.TempDir(), "parse.db")
	busy, other := open(t, path), open(t, path)
	c := class(t, busy, "A")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = try(busy, func(storage.Tx) error { return nil })
				}
			}
		})
	}
	const writes = 25
	before := busy.catalogCommits(t)
	for i := range writes {
		insert(t, other, c, fmt.Sprintf(`{"objectId":"%d"}`, i))
	}
	groups := busy.catalogCommits(t) - before - writes
	close(stop)
	wg.Wait()
	if groups > 10*writes {
		t.Errorf("the busy process committed %d groups while the other one wrote %d times", groups, writes)
	}
	if groups == 0 {
		t.Error("the busy process wrote nothing")
	}
}

func TestPutClassMerges(t *testing.T) {
	s := newStore(t)
	put(t, s, func(tx storage.Tx) error {
		c := schema.New("A", map[string]schema.Field{"b": {Type: schema.String}, "a": {Type: schema.Number, Required: true, Default: 1.0}, "z": {Type: schema.Array}})
		c.Columns = []string{"z", "b"}
		c.Permissions = schema.Public()
		c.Indexes = map[string]map[string]any{"ix": {"a": 1.0}, "_id_": {"_id": 1.0}}
		_, err := tx.PutClass(ctx, c)
		return err
	})
	version := s.catalog.Load().schema.Version
	again := open(t, s.location.path)
	c := mustClass(t, again, "A")
	if fmt.Sprint(c.Columns) != "[objectId createdAt updatedAt z b a _rperm _wperm]" {
		t.Errorf("columns %v", c.Columns)
	}
	if f := c.Fields["a"]; !f.Required || f.Default != 1.0 || c.Permissions == nil || c.Permissions.Operations["find"]["*"] != true || !query.Equal(c.Indexes["ix"], map[string]any{"a": 1.0}) {
		t.Errorf("class %+v", c)
	}
	put(t, again, func(tx storage.Tx) error { _, err := tx.PutClass(ctx, c); return err })
	if v := again.catalog.Load().schema.Version; v != version {
		t.Errorf("version %d after nothing changed, was %d", v, version)
	}
	closed := schema.New("A", nil)
	closed.Permissions = schema.PermissionsOf(nil)
	put(t, again, func(tx storage.Tx) error { _, err := tx.PutClass(ctx, closed); return err })
	if err := s.Read(ctx, func(sn storage.Snapshot) error {
		sc, err := sn.Schema(ctx)
		if c := sc.Class("A"); len(c.Permissions.Operations["find"]) != 0 || len(c.Fields) != 7 {
			t.Errorf("seen by the other store: %+v", c)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if n, err := count(s, `SELECT count(*) FROM sqlite_schema WHERE type='index' AND name='A~i~ix'`); n != 1 || err != nil {
		t.Errorf("%d indexes, %v", n, err)
	}
	// A class that isn't in _SCHEMA gets its table when it is put.
	put(t, s, func(tx storage.Tx) error {
		c, err := tx.PutClass(ctx, schema.New(schema.GlobalConfig, nil))
		if err != nil {
			return err
		}
		return tx.Insert(ctx, c, storage.Object{"objectId": "1", "params": map[string]any{"a": 1.0}})
	})
	if n, err := count(s, `SELECT count(*) FROM "_SCHEMA" WHERE "className"='_GlobalConfig'`); n != 0 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	if o := get(t, again, "_GlobalConfig", "1"); !query.Equal(o["params"], map[string]any{"a": 1.0}) {
		t.Errorf("config %v", o)
	}
}

func TestFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	s := newStore(t)
	class(t, s, "A")
	for path, want := range map[string]os.FileMode{s.location.path: 0o600, s.location.path + "-wal": 0o600, s.location.path + "-lock": 0o600, filepath.Dir(s.location.path): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestURI(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ uri, path, synchronous string }{
		{"sqlite://data/parse.db", filepath.Join(here, "data", "parse.db"), "FULL"},
		{"sqlite:///tmp/a%20b.db?synchronous=normal", "/tmp/a b.db", "NORMAL"},
		{"sqlite:///tmp/a.db?synchronous=off", "", ""},
		{"sqlite:///tmp/a.db?mode=ro", "", ""},
		{"sqlite://", "", ""},
		{"sqlite:///tmp/", "", ""},
		{"sqlite:///tmp/%zz", "", ""},
		{"postgres://x/y", "", ""},
	} {
		loc, err := parseURI(tt.uri)
		if (err != nil) != (tt.path == "") || err == nil && (loc.path != tt.path || loc.synchronous != tt.synchronous) {
			t.Errorf("%s: %+v, %v", tt.uri, loc, err)
		}
	}
	for _, name := range []string{"a b?c#d%e&f.db", "semi;colon.db"} {
		s := open(t, strings.NewReplacer("%", "%25", "?", "%3F").Replace(filepath.Join(t.TempDir(), name)))
		if filepath.Base(s.location.path) != name {
			t.Errorf("opened %s", s.location.path)
		}
		if _, err := os.Stat(s.location.path); err != nil {
			t.Error(err)
		}
		class(t, s, "A")
	}
}
