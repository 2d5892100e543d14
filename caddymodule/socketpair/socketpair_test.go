//go:build unix

package socketpair

import (
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNew(t *testing.T) {
	ours, theirs, err := New("a test")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ours.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		for _, fd := range []uintptr{fd, theirs.Fd()} {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("a process that is started now inherits descriptor %d: %v", fd, err)
			}
		}
	})
	other, err := Take(theirs)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from io.Writer
		to   io.Reader
	}{{ours, other}, {other, ours}} {
		got := make([]byte, 2)
		if _, err := c.from.Write([]byte("hi")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.to, got); err != nil || string(got) != "hi" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	_ = other.Close()
	if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the other end is closed, and reading says %v", err)
	}
	_ = ours.Close()
}

func TestTakeOther(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(f); err == nil {
		t.Error("took what is no socket")
	}
}
