package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/parsescale/parsescale/server/files"
)

// note is what is kept of a file's properties, as JSON in a hidden file beside it.
type note struct {
	Metadata map[string]any `json:"metadata,omitempty"`
	Tags     map[string]any `json:"tags,omitempty"`
}

// noteOf is where the note of a file lies. No stored name starts with a dot.
func noteOf(at string) string { return ".note-" + at }

// writeNote keeps the properties, or removes what an earlier file of that name had.
func (s *Store) writeNote(at string, p files.Properties) error {
	if len(p.Metadata) == 0 && len(p.Tags) == 0 {
		return s.removeNote(at)
	}
	data, err := json.Marshal(note{p.Metadata, p.Tags})
	if err != nil {
		return fmt.Errorf("cannot store the file's metadata: %w", err)
	}
	u, err := s.begin()
	if err != nil {
		return err
	}
	defer u.discard()
	if _, err := u.file.Write(data); err != nil {
		return fmt.Errorf("cannot store the file's metadata: %w", err)
	}
	if err := u.sync(); err != nil {
		return err
	}
	return u.commit(noteOf(at))
}

func (s *Store) removeNote(at string) error {
	if err := s.root.Remove(noteOf(at)); err != nil && !noNote(err) {
		return fmt.Errorf("cannot delete the file's metadata: %w", err)
	}
	return nil
}

// noNote says whether an error means that there is no note: a file may have a name that is just too long for one beside it.
func noNote(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG)
}

// Properties tells what is kept beside a file's content.
func (s *Store) Properties(_ context.Context, name string) (*files.Properties, error) {
	f, _, err := s.open(name)
	if err != nil {
		return nil, err
	}
	f.Close()
	p := &files.Properties{ContentType: files.ContentType(name)}
	at, err := place(name)
	if err != nil {
		return nil, err
	}
	data, err := s.root.ReadFile(noteOf(at))
	if err != nil && noNote(err) {
		return p, nil
	}
	var n note
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the file's metadata: %w", err)
	}
	p.Metadata, p.Tags = n.Metadata, n.Tags
	return p, nil
}
