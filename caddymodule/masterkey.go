package caddymodule

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// masterKeyFile is the name of the file, beside the database, that keeps a master key nobody gave.
const masterKeyFile = "master.key"

// storedMasterKey returns the master key kept in dir and the file's name. The first call makes both. When two gateways
// start at once, one makes the file and the other reads it.
func storedMasterKey(dir string) (key, file string, err error) {
	file = filepath.Join(dir, masterKeyFile)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("cannot create the folder for the master key: %w", err)
	}
	if key, err = readMasterKey(file); !errors.Is(err, fs.ErrNotExist) {
		return key, file, err
	}
	var random [24]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", "", fmt.Errorf("cannot make a master key: %w", err)
	}
	// Written under another name first: whoever finds the file finds it complete.
	tmp, err := os.CreateTemp(dir, masterKeyFile+".*") // mode 0600
	if err != nil {
		return "", "", fmt.Errorf("cannot store a new master key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(hex.EncodeToString(random[:]) + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", "", fmt.Errorf("cannot store a new master key: %w", err)
	}
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", "", fmt.Errorf("cannot store a new master key: %w", err)
	}
	key, err = readMasterKey(file)
	return key, file, err
}

func readMasterKey(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the master key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("the master key file %s can be read by others; restrict it to its owner (chmod 600)", file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the master key: %w", err)
	}
	key := strings.TrimSpace(string(b))
	if len(key) < 16 {
		return "", fmt.Errorf("the master key file %s holds less than 16 characters; delete it to have a new key made", file)
	}
	return key, nil
}
