package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrClaimed: the database is in use in a way that excludes the present one. A gateway's cached answers are only true
// as long as it is told of every write; so either one gateway has the database, or workers that run alone do.
var ErrClaimed = errors.New("the database is in use")

// Claim takes the database at uri for a gateway, which will be told of every change to it, until the Closer is closed or
// the process ends. It fails with ErrClaimed while another gateway has it, or a worker runs on it alone.
func Claim(uri string) (io.Closer, error) {
	loc, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	return loc.claim(true, "a gateway can't take it while another gateway or a worker that runs alone uses it; stop that first")
}

// claim locks the owner file beside the database: alone, or shared with others that share it.
func (l location) claim(alone bool, otherwise string) (io.Closer, error) {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the folder of the database: %w", err)
	}
	f, err := openLockFile(l.path + "-owner")
	if err != nil {
		return nil, err
	}
	free, err := tryLockFile(f, alone)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot lock the owner file of the database: %w", err)
	}
	if !free {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s", ErrClaimed, otherwise)
	}
	return f, nil
}

// GatewayDir is the folder, beside the database at uri, for what a gateway keeps about the workers it runs on it.
func GatewayDir(uri string) (string, error) {
	loc, err := parseURI(uri)
	return loc.path + "-gateway", err
}
