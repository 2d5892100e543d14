//nolint:revive,staticcheck // the messages are parse-server's, word for word
package files

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
)

// Why a file name or directory is refused; the texts are parse-server's.
var (
	ErrNameTooLong    = errors.New("Filename too long.")
	ErrNameCharacters = errors.New("Filename contains invalid characters.")

	ErrDirectoryEmpty      = errors.New("Directory must not be empty.")
	ErrDirectoryTooLong    = errors.New("Directory path is too long.")
	ErrDirectoryDots       = errors.New(`Directory must not contain "..".`)
	ErrDirectoryEnds       = errors.New(`Directory must not start or end with "/".`)
	ErrDirectorySlashes    = errors.New("Directory must not contain consecutive slashes.")
	ErrDirectoryReserved   = errors.New(`Directory must not start with reserved segment "metadata".`)
	ErrDirectoryCharacters = errors.New("Directory contains invalid characters.")
)

// CheckName says whether a client may choose this file name: at most 128 letters, digits and @ . ~ _ - and spaces,
// starting with a letter, a digit or _.
func CheckName(name string) error {
	if utf16Len(name) > 128 {
		return ErrNameTooLong
	}
	if !plainName(name) {
		return ErrNameCharacters
	}
	return nil
}

// plainName reports whether s matches ^[_a-zA-Z0-9][a-zA-Z0-9@. ~_-]*$.
func plainName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !alphanumeric(c) && c != '_' && (i == 0 || !strings.ContainsRune("@. ~-", rune(c))) {
			return false
		}
	}
	return s != ""
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// utf16Len is the length of s as JavaScript counts it.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// CheckDirectory says whether a file may be put into this directory.
func CheckDirectory(dir string) error {
	switch {
	case dir == "":
		return ErrDirectoryEmpty
	case utf16Len(dir) > 256:
		return ErrDirectoryTooLong
	case strings.Contains(dir, ".."):
		return ErrDirectoryDots
	case strings.HasPrefix(dir, "/") || strings.HasSuffix(dir, "/"):
		return ErrDirectoryEnds
	case strings.Contains(dir, "//"):
		return ErrDirectorySlashes
	case dir == "metadata" || strings.HasPrefix(dir, "metadata/"):
		return ErrDirectoryReserved
	}
	for i := 0; i < len(dir); i++ {
		if c := dir[i]; !alphanumeric(c) && (i == 0 || c != '_' && c != '-' && c != '/') {
			return ErrDirectoryCharacters
		}
	}
	// What parse-server lets through but the store couldn't read back: a segment that starts with a dash.
	for segment := range strings.SplitSeq(dir, "/") {
		if !plainName(segment) {
			return ErrDirectoryCharacters
		}
	}
	return nil
}

// StoredName returns the name under which a file is kept: the client's name, with an extension made from the content
// type where it has none, behind 32 random hexadecimal digits unless the name is to be preserved.
func StoredName(name, contentType string, preserve bool) string {
	if Extension(name) == "" {
		if ext := extensionOf(contentType); ext != "" {
			if !strings.HasSuffix(name, ".") {
				name += "."
			}
			name += ext
		}
	}
	if preserve {
		return name
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:]) + "_" + name
}

// Extension is what follows the last dot of a name; "" when there is no dot.
func Extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i+1:]
	}
	return ""
}
