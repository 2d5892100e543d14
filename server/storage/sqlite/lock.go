package sqlite

import (
	"fmt"
	"os"
)

// turnstile lets the writers of several processes take turns. It is two lock files: who wants to write first takes the
// gate, then the seat, then leaves the gate. One lock wouldn't do: whoever gives it back could take it again before
// those it woke up have run, for ever. With two, the one at the gate is next in any case.
type turnstile struct{ gate, seat *os.File }

func openTurnstile(path string) (*turnstile, error) {
	gate, err := openLockFile(path + "-gate")
	if err != nil {
		return nil, err
	}
	seat, err := openLockFile(path + "-lock")
	if err != nil {
		gate.Close()
		return nil, err
	}
	return &turnstile{gate: gate, seat: seat}, nil
}

func openLockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock file of the database: %w", err)
	}
	return f, nil
}

// enter waits for the turn; it blocks and can't be interrupted, so it runs in the writer's own goroutine.
func (t *turnstile) enter() error {
	if err := lockFile(t.gate); err != nil {
		return fmt.Errorf("cannot lock the database for writing: %w", err)
	}
	err := lockFile(t.seat)
	unlockFile(t.gate)
	if err != nil {
		return fmt.Errorf("cannot lock the database for writing: %w", err)
	}
	return nil
}

func (t *turnstile) leave() { unlockFile(t.seat) }

func (t *turnstile) close() {
	t.gate.Close()
	t.seat.Close()
}
