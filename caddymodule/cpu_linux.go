package caddymodule

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cpuMeter tells how busy the processors are that this machine, or the control group of this process, has.
type cpuMeter struct {
	busy, total uint64 // of the machine, in ticks
	used        uint64 // of the control group, in microseconds
	at          time.Time
}

// share is how much of the processors was in use since the last call, from 0 to 1; 0 at the first, and if nobody knows.
func (m *cpuMeter) share(now time.Time) float64 {
	share := 0.0
	if b, err := os.ReadFile("/proc/stat"); err == nil {
		if busy, total, ok := parseCPU(b); ok {
			if m.total > 0 && total > m.total && busy >= m.busy {
				share = float64(busy-m.busy) / float64(total-m.total)
			}
			m.busy, m.total = busy, total
		}
	}
	group := controlGroup()
	limit, limited := readCPULimit(group)
	if b, err := os.ReadFile(filepath.Join(group, "cpu.stat")); err == nil && limited {
		if used, ok := parseUsage(b); ok {
			if passed := now.Sub(m.at).Microseconds(); m.used > 0 && used >= m.used && passed > 0 {
				share = max(share, float64(used-m.used)/float64(passed)/limit)
			}
			m.used = used
		}
	}
	m.at = now
	return min(share, 1)
}

// parseCPU reads the first line of /proc/stat, see proc(5): ticks spent in user, nice, system, idle, iowait, irq, softirq
// and steal.
func parseCPU(b []byte) (busy, total uint64, ok bool) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 6 || string(fields[0]) != "cpu" {
		return 0, 0, false
	}
	for i, f := range fields[1:min(len(fields), 9)] { // guests are in user already
		n, err := strconv.ParseUint(string(f), 10, 64)
		if err != nil {
			return 0, 0, false
		}
		total += n
		if i != 3 && i != 4 {
			busy += n
		}
	}
	return busy, total, true
}

// cgroupMount is where control groups of version 2 are.
const cgroupMount = "/sys/fs/cgroup"

// controlGroup is the directory of this process's control group: in a container mostly the mount itself, under systemd the unit's.
func controlGroup() string {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return cgroupMount
	}
	return filepath.Join(cgroupMount, parseControlGroup(b))
}

// parseControlGroup reads the path of version 2 from /proc/self/cgroup, see cgroups(7); "/" if there is none, or if it lies outside of
// what is mounted here.
func parseControlGroup(b []byte) string {
	for line := range bytes.Lines(b) {
		if path, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte("0::")); ok {
			if p := string(path); strings.HasPrefix(p, "/") && !slices.Contains(strings.Split(p, "/"), "..") {
				return p
			}
		}
	}
	return "/"
}

// readCPULimit is how many processors the control group may use, if there is a limit.
func readCPULimit(group string) (float64, bool) {
	b, err := os.ReadFile(filepath.Join(group, "cpu.max"))
	if err != nil {
		return 0, false
	}
	return parseCPULimit(b)
}

// parseCPULimit reads cpu.max: a quota or "max", and a period, in microseconds.
func parseCPULimit(b []byte) (float64, bool) {
	fields := bytes.Fields(b)
	if len(fields) != 2 {
		return 0, false
	}
	quota, err1 := strconv.ParseFloat(string(fields[0]), 64)
	period, err2 := strconv.ParseFloat(string(fields[1]), 64)
	if err1 != nil || err2 != nil || quota <= 0 || period <= 0 {
		return 0, false
	}
	return quota / period, true
}

// parseUsage reads usage_usec of cpu.stat.
func parseUsage(b []byte) (uint64, bool) {
	for line := range bytes.Lines(b) {
		if name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" ")); string(name) == "usage_usec" {
			n, err := strconv.ParseUint(string(value), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
