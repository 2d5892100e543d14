package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/parsescale/parsescale/server/files"
)

// tempPrefix starts the names of files that are being written. No stored name starts with a dot.
const tempPrefix = ".upload-"

// Options say where and how files are kept.
type Options struct {
	// Folder is made if it isn't there. Required.
	Folder string
	// Key encrypts the files. Files that were stored without it, or with another one, can't be read. Default: none.
	Key string
}

// Store is a folder of files. All methods are safe for concurrent use, also by several processes.
type Store struct {
	root *os.Root
	key  *key // nil: files aren't encrypted
}

// Open opens the folder, making it if need be, and removes what uploads of processes that died have left there for more
// than a day. No path given later leads out of the folder, whatever links lie in it.
func Open(o Options) (*Store, error) {
	if err := os.MkdirAll(o.Folder, 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the files folder: %w", err)
	}
	root, err := os.OpenRoot(o.Folder)
	if err != nil {
		return nil, fmt.Errorf("cannot open the files folder: %w", err)
	}
	s := &Store{root: root}
	if o.Key != "" {
		if s.key, err = newKey(o.Key); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
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

// Create stores what r holds, at most limit bytes, under the name. The file appears whole, and durably, or not at all;
// one that is there already is replaced.
func (s *Store) Create(ctx context.Context, name string, r io.Reader, limit int64, p files.Properties) error {
	at, err := place(name)
	if err != nil {
		return err
	}
	u, err := s.begin()
	if err != nil {
		return err
	}
	defer u.discard()
	to := io.Writer(u.file)
	var sealed *sealer
	if s.key != nil {
		sealed = s.key.seal(u.file)
		to = sealed
	}
	if err := files.Copy(to, r, limit); err != nil {
		return fmt.Errorf("cannot store the file: %w", err)
	}
	if sealed != nil {
		if err := sealed.Close(); err != nil {
			return fmt.Errorf("cannot store the file: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cannot store the file: %w", err)
	}
	if err := u.sync(); err != nil {
		return err
	}
	if err := s.writeNote(at, p); err != nil {
		return err
	}
	return u.commit(at)
}

// Open opens a file.
func (s *Store) Open(ctx context.Context, name string, _ files.Span) (*files.File, error) {
	f, info, err := s.open(name)
	if err != nil {
		return nil, err
	}
	opened := &files.File{
		ReadSeekCloser: f, Size: info.Size(), Modified: info.ModTime(),
		ETag: `"` + strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36) + `"`,
	}
	if s.key == nil {
		return opened, nil
	}
	plain, size, err := s.key.open(ctx, f, info.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot decrypt the file: %w", err), f.Close())
	}
	opened.ReadSeekCloser, opened.Size = plain, size
	return opened, nil
}

// open opens a regular file.
func (s *Store) open(name string) (*os.File, fs.FileInfo, error) {
	at, err := place(name)
	if err != nil {
		return nil, nil, err
	}
	// A pipe or a device that somebody put into the folder would block or worse: look before opening.
	info, err := s.root.Stat(at)
	if err == nil && !info.Mode().IsRegular() {
		return nil, nil, files.ErrNotFound
	}
	if err != nil {
		return nil, nil, missing("cannot open the file", err)
	}
	f, err := s.root.Open(at)
	if err != nil {
		return nil, nil, missing("cannot open the file", err)
	}
	// Another upload may have taken the name in between.
	if info, err = f.Stat(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot open the file: %w", err), f.Close())
	}
	return f, info, nil
}

// Delete removes a file.
func (s *Store) Delete(_ context.Context, name string) error {
	at, err := place(name)
	if err != nil {
		return err
	}
	info, err := s.root.Stat(at)
	if err == nil && !info.Mode().IsRegular() {
		return files.ErrNotFound
	}
	if err == nil {
		err = s.root.Remove(at)
	}
	if err != nil {
		return missing("cannot delete the file", err)
	}
	return s.removeNote(at)
}

// missing says whether an error means that there is no such file. A link that leads out of the folder is none, and no file has
// a name that is too long for the disk.
func missing(what string, err error) error {
	var leadsOut *fs.PathError
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG) || errors.As(err, &leadsOut) && strings.Contains(leadsOut.Err.Error(), "path escapes") {
		return files.ErrNotFound
	}
	return fmt.Errorf("%s: %w", what, err)
}

// place is where a file lies: its name as JavaScript's encodeURIComponent encodes it, slashes included.
func place(name string) (string, error) {
	if err := files.CheckStored(name); err != nil {
		return "", err
	}
	out := make([]byte, 0, len(name)+8)
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			out = append(out, c)
			continue
		}
		const digits = "0123456789ABCDEF"
		out = append(out, '%', digits[c>>4], digits[c&15])
	}
	return string(out), nil
}
