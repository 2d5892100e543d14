package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startUpgradable runs a Caddyfile with a program file of its own. Whatever process runs in the gateway's folder ends with the
// test.
func startUpgradable(t testing.TB, caddyfile string) *gateway {
	t.Helper()
	original, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "parsescale")
	install(t, original, program)
	g := startProgram(t, program, caddyfile)
	t.Cleanup(func() { endAll(g) })
	return g
}

// endAll ends whatever process runs in the gateway's folder.
func endAll(g *gateway) {
	for deadline := time.Now().Add(20 * time.Second); len(g.processes()) > 0; time.Sleep(20 * time.Millisecond) {
		late, left := time.Now().After(deadline), g.processes()
		for _, pid := range left {
			switch {
			case late:
				_ = syscall.Kill(pid, syscall.SIGKILL)
			case !slices.Contains(left, parent(pid)): // workers are ended by their gateway
				_ = syscall.Kill(pid, syscall.SIGTERM)
			}
		}
	}
}

// install puts a program in the place of another, as packages do: the old file is gone for new processes, and there for those
// that run it.
func install(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", b, 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

// upgrade has the running process replaced, as an operator does, and returns the new one's id.
func (g *gateway) upgrade() int {
	g.t.Helper()
	out, err := g.tryUpgrade() // the Caddyfile of the folder says where the admin API is
	if err != nil {
		g.t.Fatalf("cannot upgrade: %v\n%s", err, out)
	}
	_, line, _ := strings.Cut("\n"+out, "\nprocess ")
	pid, err := strconv.Atoi(strings.Fields(line + " none")[0])
	if err != nil {
		g.t.Fatalf("cannot read %q", out)
	}
	g.t.Log("process", strings.TrimSpace(line))
	return pid
}

func (g *gateway) tryUpgrade(args ...string) (string, error) {
	g.t.Helper()
	program, err := binary()
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"parse-upgrade"}, args...)...)
	cmd.Dir = g.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); running(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d doesn't end", pid)
		}
	}
}

// parent returns the id of a process's parent, 0 if it is gone.
func parent(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	n, _ := strconv.Atoi(strings.Fields(rest)[1])
	return n
}

// newcomers are clients that make a connection for each request: one that reads, and one that writes.
func newcomers(t *testing.T, g *gateway) (end func()) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	c := &client{base: g.url(), http: &http.Client{Transport: transport, Timeout: 60 * time.Second}, header: map[string]string{
		"X-Parse-Application-Id": appID, "X-Parse-REST-API-Key": restKey,
	}}
	end = sync.OnceFunc(again(4, func(caller int) {
		method, path, body := "GET", "/classes/LoadCatalog", ""
		if caller%2 == 1 {
			method, path, body = "POST", "/classes/Newcomer", `{"n":1}`
		}
		if a, err := c.do(method, path, body); err != nil || a.status/100 != 2 {
			t.Errorf("a request by a new connection: %s %s: %v %d %s", method, path, err, a.status, a.body)
			time.Sleep(pauseAfterFailure)
		}
	}))
	t.Cleanup(end)
	return end
}

// TestUpgrades replaces the gateway's program several times in a row, under load by kept and by new connections: no request
// fails, what was acknowledged is there, once, and nothing is left of the old processes.
func TestUpgrades(t *testing.T) {
	notified, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notified.Close()
	t.Setenv("NOTIFY_SOCKET", notified.LocalAddr().String())
	g := startUpgradable(t, bundledApp("", ""))
	original, _ := binary()
	l := startLoad(t, g.url(), 8)
	end := newcomers(t, g)
	now := g.process.PID()
	for range 5 {
		time.Sleep(200 * time.Millisecond) // of load
		install(t, original, g.program)
		before := now
		now = g.upgrade()
		gone(t, before)
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", now)); err != nil || exe != g.program {
			t.Errorf("the new process runs %s, %v", exe, err)
		}
		awaitMainPID(t, notified, now)
	}
	time.Sleep(200 * time.Millisecond)
	end()
	l.end()
	for _, lc := range l.clients {
		for _, f := range slices.Concat(lc.wrong, lc.failedReads, lc.failedWrites) {
			t.Errorf("client %d: %s", lc.number, f)
		}
	}
	l.sum(t)
	l.check(t, g.url())
	workers := g.workers()
	if len(workers) != 2 {
		t.Errorf("there are the workers %v", workers)
	}
	for _, pid := range g.processes() {
		if pid != now && !slices.Contains(workers, pid) {
			t.Errorf("process %d, a child of %d, is left", pid, parent(pid))
		}
	}
	if err := syscall.Kill(now, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	g.noProcessWithin(20 * time.Second)
}

// awaitMainPID reads what the service manager is told until it is told of the process.
func awaitMainPID(t *testing.T, c *net.UnixConn, pid int) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("the service manager isn't told of process %d: %v", pid, err)
		}
		if slices.Contains(strings.Split(string(buf[:n]), "\n"), fmt.Sprintf("MAINPID=%d", pid)) {
			return
		}
	}
}

// TestUpgradeFails has the new process fail in several ways: the old one goes on, and the operator is told why.
func TestUpgradeFails(t *testing.T) {
	g := startUpgradable(t, bundledApp("", ""))
	path := filepath.Join(g.dir, "Caddyfile")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	original, _ := binary()
	l := startLoad(t, g.url(), 4)
	var reloaded sync.WaitGroup
	for _, test := range []struct {
		name    string
		prepare func()
		says    string
	}{
		{"a Caddyfile that can't be read", func() { write(t, path, strings.Replace(string(good), "parse {", "prase {", 1)) }, "unrecognized global option: prase"},
		{"workers that refuse their options", func() {
			write(t, path, strings.Replace(string(good), "option allow", "option defaultLimit -2\n\t\t\toption allow", 1))
		}, "Default limit must be a value greater than 0"},
		{"a program that isn't one", func() {
			write(t, g.program+".new", "#!/bin/sh\necho this is no gateway >&2\nexit 3\n")
			rename(t, g.program+".new", g.program)
		}, "this is no gateway (exit status 3)"},
		{"no program", func() {
			if err := os.Remove(g.program); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
		{"another configuration, which is loaded meanwhile", func() {
			rename(t, g.program, g.program+".late")
			write(t, g.program, "#!/bin/sh\nsleep 2\nexec "+g.program+".late \"$@\"\n")
			reloaded.Go(func() {
				time.Sleep(500 * time.Millisecond)
				g.reload(oneMoreWorker)
			})
		}, "another configuration was loaded meanwhile"},
		{"a program that ignores what it is told", func() {
			write(t, g.program+".new", "#!/bin/sh\nexec sleep 1\n")
			rename(t, g.program+".new", g.program)
		}, "it ended by itself"},
	} {
		write(t, path, string(good))
		install(t, original, g.program)
		test.prepare()
		out, err := g.tryUpgrade("--address", g.admin)
		reloaded.Wait()
		if err == nil || !strings.Contains(out, test.says) || !strings.Contains(out, fmt.Sprintf("process %d goes on", g.process.PID())) {
			t.Errorf("%s: %v, %s", test.name, err, out)
		}
		newClient(t, g.url()).create(t, "After", `{"n":1}`)
	}
	write(t, path, string(good))
	install(t, original, g.program)
	g.upgrade()
	l.end()
	if n := l.sum(t); n.refused > 0 {
		t.Errorf("%d of %d requests were writes that failed", n.refused, n.requests)
	}
	l.check(t, g.url())
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // some are programs
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
