package succession

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPortOfAnother runs this test's program as somebody who may not have a port below 1024, and may take the capability for it or
// not.
func TestPortOfAnother(t *testing.T) {
	const child, address = "PARSESCALE_TEST_BIND", "127.0.0.1:917"
	if os.Getenv(child) != "" {
		_, plain := net.Listen("tcp", address)
		l, err := NewSockets().Listen(context.Background(), "tcp", address, net.ListenConfig{})
		switch {
		case plain == nil:
			os.Exit(3) // this machine has no such ports
		case err != nil:
			os.Exit(4)
		}
		_ = l.Close()
		if _, again := net.Listen("tcp", address); !errors.Is(again, unix.EACCES) {
			os.Exit(5) // the capability was kept
		}
		os.Exit(0)
	}
	if os.Getuid() != 0 {
		t.Skip("left out: only root may give a program a capability")
	}
	dir, err := os.MkdirTemp("", "bind")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user is to run it
		t.Fatal(err)
	}
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		permitted uint32
		want      int
	}{
		{"not permitted", 0, 4},
		{"permitted", 1 << unix.CAP_NET_BIND_SERVICE, 0},
	} {
		program := filepath.Join(dir, test.name)
		if err := os.WriteFile(program, own, 0o755); err != nil { //nolint:gosec // it is a program
			t.Fatal(err)
		}
		// struct vfs_ns_cap_data of linux/capability.h, revision 2, without the effective bit
		var capabilities [20]byte
		binary.LittleEndian.PutUint32(capabilities[:], 0x02000000)
		binary.LittleEndian.PutUint32(capabilities[4:], test.permitted)
		if err := unix.Setxattr(program, "security.capability", capabilities[:], 0); err != nil {
			t.Skip("left out: the file system doesn't hold capabilities: ", err)
		}
		cmd := exec.Command(program, "-test.run", "^TestPortOfAnother$")
		cmd.Env = append(os.Environ(), child+"=1")
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got == 3 {
			t.Skip("left out: on this machine anybody may have ports below 1024")
		} else if got != test.want {
			t.Errorf("%s: status %d, want %d: %s", test.name, got, test.want, out)
		}
	}
}
