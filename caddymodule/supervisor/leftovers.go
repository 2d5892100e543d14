//go:build unix

package supervisor

import (
	"fmt"
	"log/slog"
	"syscall"
	"time"
)

// reapLeftovers ends the children that a killed gateway left, and removes its sockets. Children exit by themselves
// when their gateway dies, but one that hangs or was stopped can't, and it may hold the database. Only processes that
// are certainly the recorded ones are ended: same machine run, same id, same start time.
func reapLeftovers(r record, wait time.Duration, log *slog.Logger) error {
	if r.Boot != "" && r.Boot == bootID() {
		var alive []childMark
		for _, m := range r.Children {
			if m.alive() {
				log.Warn("ending a worker that an earlier gateway left", "pid", m.PID)
				killGroup(m.PID, syscall.SIGKILL)
				alive = append(alive, m)
			}
		}
		deadline := time.Now().Add(wait)
		for _, m := range alive {
			for m.alive() {
				if time.Now().After(deadline) {
					return fmt.Errorf("cannot end process %d, a worker that an earlier gateway left: end it by hand", m.PID)
				}
				time.Sleep(5 * time.Millisecond) // it isn't our child: there is nothing to wait on
			}
		}
	}
	if r.SocketDir == "" {
		return nil
	}
	if err := removeSocketDir(r.SocketDir); err != nil {
		log.Warn("cannot remove the sockets of an earlier gateway", "error", err)
	}
	return nil
}

// alive tells whether the marked process still runs; a zombie doesn't.
func (m childMark) alive() bool {
	started, zombie, err := processStart(m.PID)
	return err == nil && m.Started != 0 && started == m.Started && !zombie
}

// killGroup signals a worker and every process it started. Workers lead process groups of their own.
func killGroup(pid int, sig syscall.Signal) {
	if pid <= 1 {
		return
	}
	if syscall.Kill(-pid, sig) != nil {
		_ = syscall.Kill(pid, sig) // it may be gone
	}
}
