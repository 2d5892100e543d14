//go:build linux

package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startGateway runs a gateway in a process of its own and returns its workers' ids.
func startGateway(t *testing.T, stateDir, child string) (*exec.Cmd, []int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	sockets, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	cmd.Env = append(os.Environ(), roleVariable+"=gateway", "STATE_DIR="+stateDir, "SOCKET_DIR="+sockets, "CHILD="+child)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != 3 || fields[0] != "ready" {
		t.Fatalf("the gateway said %q, %v", line, err)
	}
	var pids []int
	for _, f := range fields[1:] {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
		t.Cleanup(func() { // only if the test failed is there anything to end
			if t.Failed() {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		})
	}
	return cmd, pids
}

// gone tells whether a process has ended; nobody may be there to reap an orphan.
func gone(pid int) bool {
	_, zombie, err := processStart(pid)
	return err != nil || zombie
}

func TestKilledGatewayLeavesNoOrphan(t *testing.T) {
	cmd, pids := startGateway(t, t.TempDir(), `{}`)
	cmd.Process.Kill()
	cmd.Wait()
	for _, pid := range pids {
		until(t, fmt.Sprintf("the end of worker %d", pid), 20*time.Second, func() bool { return gone(pid) })
	}
}

// Workers that hang, or are stopped, and so outlive their gateway are ended by the next one before it starts its own.
func TestLeftoversAreReaped(t *testing.T) {
	dir := t.TempDir()
	cmd, pids := startGateway(t, dir, `{"Deaf": true}`)
	state := stateDir{path: dir}
	sockets := state.read().SocketDir
	if _, err := os.Stat(sockets); err != nil {
		t.Fatal(err)
	}

	h := build(t, childOptions{}, func(o *Options) { o.StateDir = dir })
	err := h.Start(context.Background())
	if !errors.Is(err, ErrOwned) || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) {
		t.Fatalf("beside a living gateway: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	syscall.Kill(pids[0], syscall.SIGSTOP)
	time.Sleep(200 * time.Millisecond)
	if gone(pids[0]) || gone(pids[1]) {
		t.Fatal("a worker has ended by itself: the test tests nothing")
	}
	if err := h.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if !gone(pid) {
			t.Errorf("worker %d is still there", pid)
		}
	}
	if _, err := os.Stat(sockets); !os.IsNotExist(err) {
		t.Errorf("its sockets are still there: %v", err)
	}
	h.wait(2)
}

// Nothing is ended that isn't certainly a worker of ours.
func TestStrangersAreSpared(t *testing.T) {
	sleep := exec.Command("sleep", "60")
	sleep.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleep.Wait()
	defer sleep.Process.Kill()
	pid := sleep.Process.Pid
	started, _, err := processStart(pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		r    record
	}{
		{"another start time", record{Boot: bootID(), Children: []childMark{{pid, started + 1}}}},
		{"no start time", record{Boot: bootID(), Children: []childMark{{pid, 0}}}},
		{"another run of the machine", record{Boot: "other", Children: []childMark{{pid, started}}}},
		{"no run of the machine", record{Children: []childMark{{pid, started}}}},
		{"a directory that isn't ours", record{SocketDir: t.TempDir()}},
		{"bad ids", record{Boot: bootID(), Children: []childMark{{0, 0}, {-1, 0}, {1, 0}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := build(t, childOptions{}, nil)
			if err := reapLeftovers(test.r, time.Second, h.options.Logger); err != nil {
				t.Error(err)
			}
			if gone(pid) {
				t.Fatal("a stranger was ended")
			}
			if test.r.SocketDir != "" {
				if _, err := os.Stat(test.r.SocketDir); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("the very process", func(t *testing.T) {
		h := build(t, childOptions{}, nil)
		if err := reapLeftovers(record{Boot: bootID(), Children: []childMark{{pid, started}}}, 5*time.Second, h.options.Logger); err != nil {
			t.Error(err)
		}
		if !gone(pid) {
			t.Error("it still runs")
		}
	})
}

func TestParseStat(t *testing.T) {
	rest := " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %s 20"
	for _, test := range []struct {
		in      string
		started uint64
		zombie  bool
		ok      bool
	}{
		{"7 (a) S" + fmt.Sprintf(rest, "4711"), 4711, false, true},
		{"7 (a) b) ( S) Z" + fmt.Sprintf(rest, "4711"), 4711, true, true},
		{"7 (a) S 1 2 3", 0, false, false},
		{"7 (a) S" + fmt.Sprintf(rest, "x"), 0, false, false},
		{"", 0, false, false},
	} {
		started, zombie, err := parseStat([]byte(test.in))
		if started != test.started || zombie != test.zombie || (err == nil) != test.ok {
			t.Errorf("%q: %d, %v, %v", test.in, started, zombie, err)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, b []byte) { parseStat(b) })
}

func TestDamagedStateFile(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, stateFile), []byte("{\"children\": 7"), 0o600)
	h := start(t, childOptions{}, func(o *Options) { o.StateDir, o.Count = dir, 1 })
	info, err := os.Stat(filepath.Join(dir, stateFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if r := h.state.read(); len(r.Children) != 1 || r.Children[0].PID != h.Status()[0].PID || r.Children[0].Started == 0 {
		t.Errorf("%+v", r)
	}
}
