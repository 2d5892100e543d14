package testservices

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ParseServers says which released Parse Server processes to start.
type ParseServers struct {
	// Folder holds node_modules and node/parse-server.mjs, the script that starts one process.
	Folder string
	// Count is the number of processes.
	Count int
	// Options are parse-server's own: appId, masterKey, databaseURI and whatever else a test needs.
	Options map[string]any
}

// ParseServer is one running process.
type ParseServer struct {
	// Address is its host and port.
	Address string

	process *Process
}

// URL returns the address of its API.
func (s *ParseServer) URL() string { return "http://" + s.Address + "/parse" }

// Kill ends the process at once, as a crash would.
func (s *ParseServer) Kill() { s.process.Kill() }

// StartParseServers starts the processes; they end with the test. The first one is up before the others start: each
// makes what is missing in the database, and at the same time they would get in each other's way.
func StartParseServers(tb testing.TB, c ParseServers) []*ParseServer {
	tb.Helper()
	Need(tb, "Node and the npm package parse-server")
	node, err := Node(c.Folder)
	if err != nil {
		tb.Fatal(err)
	}
	servers := make([]*ParseServer, c.Count)
	for i := range servers {
		s, err := startParseServer(tb, node, c, i)
		if err != nil {
			tb.Fatal(err)
		}
		servers[i] = s
	}
	return servers
}

func startParseServer(tb testing.TB, node string, c ParseServers, i int) (*ParseServer, error) {
	tb.Helper()
	options := map[string]any{"filesDirectory": "parse-files"}
	for name, value := range c.Options {
		options[name] = value
	}
	encoded, err := json.Marshal(options)
	if err != nil {
		return nil, fmt.Errorf("cannot encode parse-server's options: %w", err)
	}
	script, err := filepath.Abs(filepath.Join(c.Folder, "node", "parse-server.mjs"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(node, script)
	cmd.Dir = tb.TempDir() // files and logs go there
	cmd.Env = append(os.Environ(), "PARSESCALE_PARSE_SERVER="+string(encoded))
	stdin, err := cmd.StdinPipe() // it ends when this is closed
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	tb.Cleanup(func() { r.Close() })
	cmd.Stdout = w
	p, err := StartProcess(tb, "parse-server "+strconv.Itoa(i+1), cmd, os.Interrupt)
	w.Close()
	if err != nil {
		return nil, err
	}
	tb.Cleanup(func() { stdin.Close() }) // before the signal, after which it would only close its connections
	port := make(chan int, 1)
	go readPort(r, port)
	select {
	case n, ok := <-port:
		if !ok {
			<-p.ended
			return nil, p.endError()
		}
		return &ParseServer{Address: fmt.Sprintf("127.0.0.1:%d", n), process: p}, nil
	case <-time.After(startTimeout):
		return nil, fmt.Errorf("cannot start %s: no answer within %s:\n%s", p.name, startTimeout, p.output.String())
	}
}

// readPort sends the port that the script prints, and closes the channel when the process is gone. It reads on, so that
// the process never waits for a reader.
func readPort(r *os.File, port chan<- int) {
	defer close(port)
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var ready struct{ Port int }
		if json.Unmarshal(lines.Bytes(), &ready) == nil && ready.Port != 0 {
			port <- ready.Port
		}
	}
}

// minimalNode is the oldest release that parse-server 9 runs on.
var minimalNode = [2]int{20, 19}

// Node returns the Node program to run scripts of folder with: the installed one if it is new enough, else the one that
// `npm ci` put into the folder's node_modules.
func Node(folder string) (string, error) {
	installed, err := exec.LookPath("node")
	if err == nil && nodeIsNew(installed) {
		return installed, nil
	}
	pinned, err := filepath.Abs(filepath.Join(folder, "node_modules", "node", "bin", "node"))
	if err != nil {
		return "", err
	}
	if nodeIsNew(pinned) {
		return pinned, nil
	}
	return "", fmt.Errorf("cannot find Node %d.%d or newer, in PATH or as %s: run `make deps`", minimalNode[0], minimalNode[1], pinned)
}

func nodeIsNew(program string) bool {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return false
	}
	parts := strings.Split(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".")
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return false
	}
	return major > minimalNode[0] || major == minimalNode[0] && minor >= minimalNode[1]
}
