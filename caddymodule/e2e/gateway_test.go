package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// gateway is a running `parsescale run` in a folder of its own.
type gateway struct {
	t       testing.TB
	dir     string
	address string
	admin   string
	process *testservices.Process
	program string // "": the one under test
}

// startGateway runs a Caddyfile and returns once the API answers. In its text ADDRESS stands for the site's address and
// ADMIN for the admin API's; both are free loopback ports. The gateway ends with the test.
func startGateway(t testing.TB, caddyfile string) *gateway {
	t.Helper()
	return startProgram(t, "", caddyfile)
}

// startProgram is startGateway with another program than the one under test.
func startProgram(t testing.TB, program, caddyfile string) *gateway {
	t.Helper()
	g := &gateway{
		t: t, dir: t.TempDir(), program: program,
		address: fmt.Sprintf("127.0.0.1:%d", testservices.FreePort(t)),
		admin:   fmt.Sprintf("127.0.0.1:%d", testservices.FreePort(t)),
	}
	text := strings.NewReplacer("ADDRESS", "http://"+g.address, "ADMIN", g.admin).Replace(caddyfile)
	if err := os.WriteFile(filepath.Join(g.dir, "Caddyfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.start()
	return g
}

// start runs the gateway, also a second time after it was killed.
func (g *gateway) start() {
	g.t.Helper()
	program, err := g.program, error(nil)
	if program == "" {
		program, err = binary()
	}
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.Command(program, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "HOME="+g.dir, "XDG_DATA_HOME="+g.dir+"/xdg", "XDG_CONFIG_HOME="+g.dir+"/xdg")
	g.process, err = testservices.StartProcess(g.t, "parsescale", cmd, syscall.SIGTERM)
	if err != nil {
		g.t.Fatal(err)
	}
	err = g.process.Await(func() error {
		res, err := http.Get(g.url() + "/health")
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("health: status %d", res.StatusCode)
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// url returns the address of the API.
func (g *gateway) url() string { return "http://" + g.address + "/parse" }

// kill ends the gateway's own process at once and returns when it is gone. Its workers are left to themselves.
func (g *gateway) kill() {
	g.t.Helper()
	pid := g.process.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		g.t.Fatalf("cannot kill the gateway: %v", err)
	}
	for running(pid) {
		time.Sleep(time.Millisecond)
	}
}

// status is what GET /parse/status tells, as far as these tests look at it.
type status struct {
	Apps map[string]struct {
		Level   string `json:"level"`
		Serving bool   `json:"serving"`
		Cache   struct {
			Taken        uint64 `json:"taken"`
			RefusedTaken uint64 `json:"refused_taken"`
		} `json:"cache"`
		// SecondLevel is there with redis on only.
		SecondLevel struct {
			Up      bool   `json:"up"`
			Written uint64 `json:"written"`
			Skipped uint64 `json:"skipped"`
		} `json:"second_level"`
		// Gateways is there with consistency only.
		Gateways struct {
			InStep bool   `json:"in_step"`
			Gaps   uint64 `json:"gaps"`
			Peers  []struct {
				Member bool `json:"member"`
			} `json:"peers"`
		} `json:"gateways"`
		Workers []struct {
			Name    string `json:"name"`
			Process *struct {
				PID   int    `json:"pid"`
				State string `json:"state"`
			} `json:"process"`
		} `json:"workers"`
	} `json:"apps"`
}

func (g *gateway) status() (status, error) {
	var s status
	res, err := http.Get("http://" + g.admin + "/parse/status")
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return s, fmt.Errorf("cannot read the status: %s", res.Status)
	}
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// workers returns the process ids of the workers that run now, of all apps, in order.
func (g *gateway) workers() []int {
	g.t.Helper()
	s, err := g.status()
	if err != nil {
		g.t.Fatal(err)
	}
	var pids []int
	for _, app := range s.Apps {
		for _, w := range app.Workers {
			if w.Process != nil && w.Process.PID > 0 {
				pids = append(pids, w.Process.PID)
			}
		}
	}
	slices.Sort(pids)
	return pids
}

// serving is how many workers are ready.
func (g *gateway) serving() (n int) {
	g.t.Helper()
	s, err := g.status()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, app := range s.Apps {
		for _, w := range app.Workers {
			if w.Process != nil && w.Process.State == "ready" {
				n++
			}
		}
	}
	return n
}

// processes returns the ids of all processes that run in the gateway's folder, whoever their parent is now.
func (g *gateway) processes() []int {
	g.t.Helper()
	if runtime.GOOS != "linux" {
		g.t.Skip("left out: it looks for processes in /proc, which only Linux has")
	}
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		g.t.Fatal(err)
	}
	var pids []int
	for _, link := range links {
		if dir, err := os.Readlink(link); err != nil || dir != g.dir { // gone meanwhile, a zombie, or another's
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err == nil && running(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// running reports whether a process is there and no zombie.
func running(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// noProcessWithin fails the test when a process of the gateway is left after the time.
func (g *gateway) noProcessWithin(d time.Duration) {
	g.t.Helper()
	deadline := time.Now().Add(d)
	for {
		left := g.processes()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("after %s the processes %v are still there", d, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// bundledApp is a Caddyfile with one app on two bundled workers; settings go into its workers block, and directive into
// the parse directive's.
func bundledApp(settings, directive string) string {
	return `{
	admin ADMIN
	parse {
		workers 2 {
			app_id ` + appID + `
			master_key "` + masterKey + `"
			javascript_key "` + jsKey + `"
			rest_api_key ` + restKey + `
			database_uri sqlite://data/parse.db
			option allowClientClassCreation true
			` + settings + `
		}
	}
}
ADDRESS {
	parse /parse/* {
		` + directive + `
	}
}
`
}

// remoteApp is a Caddyfile with one cached app behind existing servers.
func remoteApp(upstreams ...string) string {
	return `{
	admin ADMIN
}
ADDRESS {
	parse /parse/* ` + strings.Join(upstreams, " ") + ` {
		cache {
			ttl 5s
		}
	}
}
`
}
