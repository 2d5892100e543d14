package files

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Errors of a Store; compare with errors.Is.
var (
	// ErrTooLarge: there is more to store than the limit allows. Nothing was kept.
	ErrTooLarge = errors.New("file is larger than allowed")
	// ErrNotFound: there is no file of that name.
	ErrNotFound = errors.New("file not found")
)

// tempPrefix starts the names of files that are being written. No valid name starts with a dot.
const tempPrefix = ".upload-"

// Store is a folder of files. All methods are safe for concurrent use, also by several processes.
type Store struct {
	root *os.Root
}

// Open opens the folder, making it if need be, and removes what uploads of processes that died have left there for more
// than a day. No path given later leads out of the folder, whatever links lie in it.
func Open(folder string) (*Store, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the files folder: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot open the files folder: %w", err)
	}
	s := &Store{root: root}
	s.removeAbandoned(time.Now().Add(-24 * time.Hour))
	return s, nil
}

// Close closes the folder.
func (s *Store) Close() error { return s.root.Close() }

func (s *Store) removeAbandoned(before time.Time) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
			_ = s.root.Remove(e.Name())
		}
	}
}

// Create stores what r holds, at most limit bytes, under the name, and returns the size in bytes. The file appears
// whole, and durably, or not at all; one that is there already is replaced.
func (s *Store) Create(name string, r io.Reader, limit int64) (size int64, err error) {
	if err := checkStored(name); err != nil {
		return 0, err
	}
	u, err := s.begin()
	if err != nil {
		return 0, err
	}
	defer u.discard()
	if size, err = io.Copy(u.file, io.LimitReader(r, limit)); err != nil {
		return 0, fmt.Errorf("cannot store the file: %w", err)
	}
	if size == limit {
		// The limit is reached; one byte more is too much.
		var one [1]byte
		switch n, err := io.ReadFull(r, one[:]); {
		case n > 0:
			return 0, ErrTooLarge
		case err != io.EOF:
			return 0, fmt.Errorf("cannot store the file: %w", err)
		}
	}
	return size, u.commit(name)
}

// upload is a file that has no name yet.
type upload struct {
	store *Store
	file  *os.File
	temp  string
}

func (s *Store) begin() (*upload, error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	temp := tempPrefix + hex.EncodeToString(b[:])
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, fmt.Errorf("cannot store the file: %w", err)
	}
	return &upload{store: s, file: f, temp: temp}, nil
}

// commit gives the file its name once its content is on the disk, then makes the name durable too.
func (u *upload) commit(name string) error {
	if err := u.file.Sync(); err != nil {
		return fmt.Errorf("cannot store the file: %w", err)
	}
	folder := path.Dir(name)
	if folder != "." {
		if err := u.store.root.MkdirAll(folder, 0o750); err != nil {
			return fmt.Errorf("cannot store the file: %w", err)
		}
	}
	if err := u.store.root.Rename(u.temp, name); err != nil {
		return fmt.Errorf("cannot store the file: %w", err)
	}
	u.temp = ""
	d, err := u.store.root.Open(folder)
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
		_ = u.store.root.Remove(u.temp)
	}
}

// File is a stored file, open for reading.
type File struct {
	*os.File
	Size     int64
	Modified time.Time
}

// Open opens a file.
func (s *Store) Open(name string) (*File, error) {
	if checkStored(name) != nil {
		return nil, ErrNotFound
	}
	// A pipe or a device that somebody put into the folder would block or worse: look before opening.
	info, err := s.root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, ErrNotFound
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, ErrNotFound
	}
	return &File{File: f, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Delete removes a file.
func (s *Store) Delete(name string) error {
	if checkStored(name) != nil {
		return ErrNotFound
	}
	info, err := s.root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ErrNotFound
	}
	if err := s.root.Remove(name); err != nil {
		return fmt.Errorf("cannot delete the file: %w", err)
	}
	return nil
}

// checkStored accepts the names that files have on the disk: directories and a name of plain characters.
func checkStored(name string) error {
	if len(name) > 512 || !fs.ValidPath(name) || name == "." {
		return ErrNotFound
	}
	for segment := range strings.SplitSeq(name, "/") {
		if !plainName(segment) {
			return ErrNotFound
		}
	}
	return nil
}
