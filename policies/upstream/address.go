package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Address says where a worker listens.
type Address struct {
	Network string // "tcp" or "unix"
	Dial    string // host:port, or the path of the socket
	Scheme  string // "http" or "https"
	Host    string // what the Host header says when the request names no host
	Path    string // prefix of every path, without a slash at its end; mostly ""
}

// ParseAddress reads the address of a worker in one of the forms
//
//	host:port   http://host[:port][/prefix]   https://host[:port][/prefix]   unix//path/of/socket
//
// An address holds no credentials: a worker's keys are never part of its address.
func ParseAddress(s string) (Address, error) {
	a, err := parseAddress(s)
	if err != nil {
		// The address itself may hold a password that doesn't belong there: it is not repeated.
		return Address{}, fmt.Errorf("cannot use the address of a worker: %w", err)
	}
	return a, nil
}

func parseAddress(s string) (Address, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Address{}, errors.New("it holds a space or a control character")
	}
	if path, ok := socketPath(s); ok {
		if !strings.HasPrefix(path, "/") {
			return Address{}, errors.New("the path of a unix socket must be absolute, as in unix//run/parse.sock")
		}
		return Address{Network: "unix", Dial: path, Scheme: "http", Host: "localhost"}, nil
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s
		if _, port, err := net.SplitHostPort(strings.TrimPrefix(s, "http://")); err != nil || port == "" {
			return Address{}, errors.New("it needs a port, as in 10.0.0.1:1337, or a scheme, as in https://parse.example.com")
		}
	}
	u, err := url.Parse(s)
	if err != nil {
		return Address{}, errors.New("it is not host:port, an http or https URL, or unix//path")
	}
	return fromURL(u)
}

// socketPath cuts the path out of unix//path (the form Caddy uses), unix:///path and unix:/path.
func socketPath(s string) (string, bool) {
	for _, prefix := range []string{"unix://", "unix:", "unix/"} {
		if path, ok := strings.CutPrefix(s, prefix); ok {
			return path, true
		}
	}
	return "", false
}

func fromURL(u *url.URL) (Address, error) {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return Address{}, fmt.Errorf("its scheme is %q, not http or https", u.Scheme)
	case u.User != nil:
		return Address{}, errors.New("it must not hold credentials")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return Address{}, errors.New("it must end with its path")
	}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		host = "localhost"
	}
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return Address{}, errors.New("its port is not between 1 and 65535")
	}
	shown := u.Host
	if u.Hostname() == "" {
		shown = net.JoinHostPort(host, port)
	}
	return Address{
		Network: "tcp",
		Dial:    net.JoinHostPort(host, port),
		Scheme:  u.Scheme,
		Host:    shown,
		Path:    strings.TrimRight(u.EscapedPath(), "/"),
	}, nil
}
