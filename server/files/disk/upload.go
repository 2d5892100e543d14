package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
)

// upload is a file that has no name yet.
type upload struct {
	root *os.Root
	file *os.File
	temp string
}

func (s *Store) begin() (*upload, error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	temp := tempPrefix + hex.EncodeToString(b[:])
	f, err := s.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, fmt.Errorf("cannot store the file: %w", err)
	}
	return &upload{root: s.root, file: f, temp: temp}, nil
}

// sync makes the content durable.
func (u *upload) sync() error {
	if err := u.file.Sync(); err != nil {
		return fmt.Errorf("cannot store the file: %w", err)
	}
	return nil
}

// commit gives the file its name and makes that durable too.
func (u *upload) commit(at string) error {
	if err := u.root.Rename(u.temp, at); err != nil {
		return fmt.Errorf("cannot store the file: %w", err)
	}
	u.temp = ""
	d, err := u.root.Open(".")
	if err != nil {
		return fmt.Errorf("cannot store the file: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("cannot store the file: %w", err)
	}
	return nil
}

// discard closes the file and, unless it has its name, removes it.
func (u *upload) discard() {
	_ = u.file.Close()
	if u.temp != "" {
		_ = u.root.Remove(u.temp)
	}
}
