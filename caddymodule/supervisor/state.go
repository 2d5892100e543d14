//go:build unix

package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// record is the state file: what a later gateway needs to find what is left of this one.
type record struct {
	// Boot identifies the run of the machine: process ids and start times mean nothing in another one.
	Boot      string      `json:"boot"`
	SocketDir string      `json:"socket_dir"`
	Children  []childMark `json:"children"`
}

// childMark identifies a process beyond the reuse of its id.
type childMark struct {
	PID int `json:"pid"`
	// Started is the process's start time in clock ticks since boot; 0 where the system doesn't tell.
	Started uint64 `json:"started"`
}

const (
	lockFile  = "gateway.lock"
	stateFile = "workers.json"
)

// stateDir is the locked state directory.
type stateDir struct {
	path string
	lock *os.File
}

// openStateDir makes and locks the state directory. The lock ends with this process, however it ends.
func openStateDir(path string) (*stateDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock of the state directory: %w", err)
	}
	err = retryInterrupted(func() error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) })
	if err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is in use%s; stop that gateway, or give this one a state directory of its own",
				ErrOwned, path, ownerOf(f))
		}
		return nil, fmt.Errorf("cannot lock the state directory %s: %w", path, err)
	}
	// For the sentence above; that it is there or right isn't relied upon.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return &stateDir{path: path, lock: f}, nil
}

func ownerOf(lock *os.File) string {
	b := make([]byte, 20)
	n, _ := lock.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" by process %d", pid)
}

func retryInterrupted(f func() error) error {
	for {
		if err := f(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// read returns what an earlier gateway left; a file that isn't there or can't be understood is nothing.
func (d *stateDir) read() record {
	var r record
	b, err := os.ReadFile(filepath.Join(d.path, stateFile))
	if err != nil || json.Unmarshal(b, &r) != nil {
		return record{}
	}
	return r
}

// write replaces the state file in one step.
func (d *stateDir) write(r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(d.path, stateFile+".*") // with mode 0600
	if err != nil {
		return fmt.Errorf("cannot write the state of the workers: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(d.path, stateFile))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("cannot write the state of the workers: %w", err)
	}
	return nil
}

// close forgets the state and gives the directory free.
func (d *stateDir) close() {
	_ = os.Remove(filepath.Join(d.path, stateFile))
	d.lock.Close()
}
