package sqlite

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// location is what a database URI says.
type location struct {
	path        string // absolute
	synchronous string // "FULL" or "NORMAL"
}

// parseURI reads sqlite://relative/path.db and sqlite:///absolute/path.db, with ?synchronous=normal for those who would
// rather lose the last writes in a power cut than wait for the disk.
func parseURI(uri string) (location, error) {
	rest, ok := strings.CutPrefix(uri, "sqlite://")
	if !ok {
		return location{}, fmt.Errorf("cannot use the database address: it must start with sqlite://")
	}
	rest, rawQuery, _ := strings.Cut(rest, "?")
	name, err := url.PathUnescape(rest)
	if err != nil || strings.ContainsRune(name, 0) {
		return location{}, fmt.Errorf("cannot use the database address: its path is not well encoded")
	}
	if name == "" || strings.HasSuffix(name, "/") {
		return location{}, fmt.Errorf("cannot use the database address: it names no file, as in sqlite://data/parse.db")
	}
	loc := location{synchronous: "FULL"}
	if loc.path, err = filepath.Abs(filepath.FromSlash(name)); err != nil {
		return location{}, fmt.Errorf("cannot find the database file: %w", err)
	}
	loc.path = followLinks(loc.path)
	params, err := url.ParseQuery(rawQuery)
	if err != nil {
		return location{}, fmt.Errorf("cannot use the database address: its options are not well encoded")
	}
	for key, values := range params {
		value := strings.ToUpper(values[len(values)-1])
		if key != "synchronous" || value != "FULL" && value != "NORMAL" {
			return location{}, fmt.Errorf("cannot use the database address: unknown option %s=%s; there is synchronous=full or normal", key, values[len(values)-1])
		}
		loc.synchronous = value
	}
	return loc, nil
}

// followLinks finds the file that a path stands for, be it there or not. The locks lie beside the file: one that is
// reached by two names must have them once.
func followLinks(path string) string {
	const most = 40 // as many as Linux follows
	for range most {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(dir, filepath.Base(path))
		}
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return path
}

// dsn is the driver's name for the database.
func (l location) dsn(pragmas ...string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(l.path)}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path // a drive letter
	}
	q := url.Values{"_dqs": {"0"}, "_defensive": {"1"}, "_pragma": pragmas}
	u.RawQuery = q.Encode()
	return u.String()
}
