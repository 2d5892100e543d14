package startpages

import (
	"bufio"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Release unmaps the pages of the program itself, as far as they are still what stands in its file, and gives back what the
// garbage of the start held. What is needed again comes back from the page cache, which costs well under a microsecond a page.
// An error changes nothing but the memory.
func Release() error {
	debug.FreeOSMemory()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	clean, err := cleanParts(f, program)
	if err != nil {
		return err
	}
	for _, p := range clean {
		if err := madvise(p); err != nil {
			return err
		}
	}
	return nil
}

// part is a range of addresses.
type part struct{ from, to uintptr }

// cleanParts reads, in the form of proc(5)'s smaps, which parts of memory can't be written and hold nothing but what
// stands in the program's file. Others, such as those in which a loader has resolved addresses, would lose that, be it in
// memory or swapped out.
func cleanParts(smaps io.Reader, program string) ([]part, error) {
	var (
		out    []part
		at     part
		own    bool // at is the program's, and can't be written
		values map[string]string
	)
	end := func() {
		if own && values["Anonymous"] == "0" && values["Swap"] == "0" {
			out = append(out, at)
		}
	}
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if name, isValue := strings.CutSuffix(words[0], ":"); isValue {
			if own && len(words) > 1 {
				values[name] = words[1]
			}
			continue
		}
		end()
		// 00400000-029f5000 r-xp 00000000 fe:00 1234   /usr/bin/parsescale
		from, to, _ := strings.Cut(words[0], "-")
		low, err := strconv.ParseUint(from, 16, 64)
		if err != nil {
			return nil, err
		}
		high, err := strconv.ParseUint(to, 16, 64)
		if err != nil {
			return nil, err
		}
		at, values = part{uintptr(low), uintptr(high)}, map[string]string{}
		own = len(words) > 5 && (words[1] == "r-xp" || words[1] == "r--p") && strings.Join(words[5:], " ") == program
	}
	end()
	return out, lines.Err()
}

func madvise(p part) error {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, p.from, p.to-p.from, unix.MADV_DONTNEED); errno != 0 {
		return errno
	}
	return nil
}
