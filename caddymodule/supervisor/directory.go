//go:build unix

package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// dirPrefix begins the name of every directory of sockets; only such directories are ever removed.
const dirPrefix = "parsescale-"

// maxSocketPath is what fits into a sockaddr_un everywhere: 104 bytes on the BSDs and macOS, 108 on Linux, with a zero
// at the end.
const maxSocketPath = 103

// longestName is the longest name of a socket in the directory.
const longestName = len("/99999-9999999999.sock")

// makeSocketDir makes a directory for the workers' sockets that only this user can enter. The first of the wanted
// places that isn't too deep for a socket's path is used.
func makeSocketDir(wanted string) (string, error) {
	places := []string{wanted}
	if wanted == "" {
		places = []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"}
	}
	var last error
	for _, place := range places {
		if place == "" {
			continue
		}
		dir, err := makeSocketDirIn(place)
		if err == nil {
			return dir, nil
		}
		last = err
	}
	return "", fmt.Errorf("cannot make a directory for the workers' sockets: %w", last)
}

func makeSocketDirIn(place string) (string, error) {
	place, err := filepath.Abs(place)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(place, dirPrefix) // with mode 0700
	if err != nil {
		return "", err
	}
	if len(dir)+longestName > maxSocketPath {
		_ = os.Remove(dir)
		return "", fmt.Errorf("%s is too deep: the path of a socket may have %d bytes", place, maxSocketPath)
	}
	if err := os.Chmod(dir, 0o700); err != nil { // an odd umask may have taken away our own rights
		_ = os.Remove(dir)
		return "", err
	}
	return dir, nil
}

// removeSocketDir removes a directory that makeSocketDir made, with its sockets. It follows no symbolic link and
// touches nothing that isn't a socket.
func removeSocketDir(dir string) error {
	if !strings.HasPrefix(filepath.Base(dir), dirPrefix) {
		return fmt.Errorf("cannot remove %s: it is no directory of sockets", dir)
	}
	info, err := os.Lstat(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("cannot remove %s: it is no directory", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type()&os.ModeSocket != 0 {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return os.Remove(dir)
}
