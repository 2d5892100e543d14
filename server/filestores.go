package server

import (
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/files/disk"
	"github.com/parsescale/parsescale/server/rest"
)

// fileStore keeps uploaded files until it is closed.
type fileStore interface {
	rest.FileStore
	io.Closer
}

// openFiles opens the store of uploaded files that the options name. direct appends the URLs of files that clients get from
// the store itself; it is nil where they get them from this server.
func openFiles(o *config.Options) (store fileStore, direct func(dst []byte, name string) []byte, err error) {
	store, err = disk.Open(disk.Options{Folder: filesFolder(o)})
	return store, nil, err
}

// filesFolder is the folder of uploaded files: the configured one, else "files" beside an SQLite database.
func filesFolder(o *config.Options) string {
	if o.FilesFolder != "" {
		return o.FilesFolder
	}
	path, ok := strings.CutPrefix(string(o.DatabaseURI), sqliteScheme)
	path, _, _ = strings.Cut(path, "?")
	if path, err := url.PathUnescape(path); ok && err == nil {
		return filepath.Join(filepath.Dir(filepath.FromSlash(path)), "files")
	}
	return "files"
}
