//go:build !linux

package testservices

import (
	"errors"
	"os"
	"os/exec"
)

// dieWithParent does nothing: only Linux ends a child with its parent.
func dieWithParent(*exec.Cmd) {}

// account is whom a server runs as: here always the running user.
type account struct{}

// unprivileged returns the running user, and refuses root, which some servers refuse too.
func unprivileged(...string) (account, error) {
	if os.Geteuid() == 0 {
		return account{}, errors.New("cannot start a server as root on this system: run the tests as another user")
	}
	return account{}, nil
}

func (account) own(string) error { return nil }
func (account) run(*exec.Cmd)    {}
