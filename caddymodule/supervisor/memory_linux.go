package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// residentMemory is the memory of a process in bytes, 0 if it can't be told.
func residentMemory(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	return parseStatm(b) * int64(os.Getpagesize())
}

// parseStatm reads the second field of /proc/<pid>/statm, the resident pages, see proc(5).
func parseStatm(b []byte) int64 {
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 40)
	if err != nil || pages < 0 {
		return 0
	}
	return pages
}
