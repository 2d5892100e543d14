package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// processStart reads a process's start time, in clock ticks since boot, and whether it is a zombie.
func processStart(pid int) (started uint64, zombie bool, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false, err
	}
	return parseStat(b)
}

// parseStat reads the fields 3 (state) and 22 (start time) of /proc/<pid>/stat, see proc(5). Field 2, the command's
// name in parentheses, may hold anything; the last parenthesis ends it.
func parseStat(b []byte) (started uint64, zombie bool, err error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return 0, false, errors.New("cannot read a process's status: it has no command")
	}
	fields := bytes.Fields(b[i+1:])
	if len(fields) < 20 {
		return 0, false, errors.New("cannot read a process's status: it is too short")
	}
	started, err = strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return 0, false, errors.New("cannot read a process's status: its start time is no number")
	}
	return started, fields[0][0] == 'Z' || fields[0][0] == 'X', nil
}

func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}

// awaitExit returns when the process has ended and is still a zombie, so that its id can't have been given to another
// one yet.
func awaitExit(pid int) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// selfPath runs this very program even after its file was replaced by an upgrade.
func selfPath() string { return "/proc/self/exe" }
