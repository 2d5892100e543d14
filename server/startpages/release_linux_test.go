package startpages

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestCleanParts(t *testing.T) {
	const smaps = `00400000-029f5000 r-xp 00000000 fe:00 12    /opt/a program
Size:              38868 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
029f5000-04000000 r--p 025f5000 fe:00 12    /opt/a program
Size:              38868 kB
Anonymous:             4 kB
Swap:                  0 kB
VmFlags: rd mr mw me ac
04000000-04100000 rw-p 03c00000 fe:00 12    /opt/a program
Anonymous:             0 kB
Swap:                  0 kB
04100000-04200000 r--p 03c00000 fe:00 12    /opt/a program
Anonymous:             0 kB
Swap:                  0 kB
04200000-04300000 r--s 03c00000 fe:00 12    /opt/a program
Anonymous:             0 kB
Swap:                  0 kB
04300000-04400000 r--p 03c00000 fe:00 12    /opt/a program
Anonymous:             0 kB
Swap:                  4 kB
04400000-04500000 r--p 03c00000 fe:00 12    /opt/a program
Anonymous:             0 kB
04500000-04600000 r--p 03c00000 fe:00 12    /opt/a program
Swap:                  0 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Anonymous:           100 kB
7fff00000000-7fff00001000 r-xp 00000000 00:00 0     [vdso]
Anonymous:             0 kB
Swap:                  0 kB
7fff00100000-7fff00101000 r-xp 00000000 fe:00 13    /lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
`
	got, err := cleanParts(strings.NewReader(smaps), "/opt/a program")
	if want := "[{4194304 43995136} {68157440 69206016}]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
	for _, bad := range []string{"no address at all", "12-xx r-xp 0 0 0 /opt/a program", "12-13 p 0 0 0 /opt/a program\n-"} {
		if _, err := cleanParts(strings.NewReader(bad), "/opt/a program"); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// mapped is how many kilobytes of files are mapped.
func mapped(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRelease: less is mapped afterwards, and the program goes on.
func TestRelease(t *testing.T) {
	before := mapped(t)
	for range 3 {
		if err := Release(); err != nil {
			t.Fatal(err)
		}
	}
	if after := mapped(t); after >= before {
		t.Errorf("%d kB of files are mapped, %d before", after, before)
	}
}
