package files

import (
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Errors of a store; compare with errors.Is. Any other error is the store's own trouble, and says nothing about whether
// the file is there.
var (
	// ErrTooLarge: there is more to store than the limit allows. Nothing was kept.
	ErrTooLarge = errors.New("file is larger than allowed")
	// ErrNotFound: there is no file of that name.
	ErrNotFound = errors.New("file not found")
)

// Properties are what is kept beside a file's content.
type Properties struct {
	// ContentType is the media type; "" when it isn't known. Downloads go by the name's extension instead.
	ContentType string
	// Metadata and Tags are the uploader's, JSON values by name. Nil: there are none. A store keeps what it has a place for.
	Metadata, Tags map[string]any
	// Unique says that nobody else uses the name, so that what a failed upload may have left can be deleted.
	Unique bool
}

// File is a stored file, open for reading. Reading begins at the start, or where Seek has been told.
type File struct {
	io.ReadSeekCloser
	// Size is in bytes.
	Size int64
	// Modified is when the file was stored.
	Modified time.Time
	// ETag is a strong entity tag, with its quotes; "" when the store has none.
	ETag string
}

// Span is the part of a file that is wanted, so that a remote store sends no more: Length bytes from Offset on. The zero
// value is the whole file. It is a hint: reading on beyond it works.
type Span struct{ Offset, Length int64 }

// CheckStored accepts the names under which files may be stored: parts between slashes that aren't hidden and hold no
// control characters. What a client may choose is less, see CheckName; sites may have files that were named by other rules.
func CheckStored(name string) error {
	if len(name) > 1024 || !utf8.ValidString(name) || strings.ContainsFunc(name, forbidden) {
		return ErrNotFound
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return ErrNotFound
		}
	}
	return nil
}

func forbidden(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == utf8.RuneError }
