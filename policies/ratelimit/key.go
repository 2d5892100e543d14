package ratelimit

import (
	"fmt"
	"slices"
	"strings"
)

// Key says whose requests are counted together.
type Key string

// The keys. A client chooses freely what it sends, so nothing of that is a key before a worker has accepted it (see Known):
// until then a request counts by the app and the address, and with an unknown application id by the address alone.
const (
	ByApp     Key = "app"
	ByIP      Key = "ip"
	ByAppIP   Key = "app_ip"
	ByUser    Key = "user"    // of an app; where it isn't known whose a session is, by session
	BySession Key = "session" // of an app
	ByAPIKey  Key = "api_key" // of an app
)

var keys = []string{string(ByApp), string(ByIP), string(ByAppIP), string(ByUser), string(BySession), string(ByAPIKey)}

// ParseKey reads a key's name.
func ParseKey(name string) (Key, error) {
	if !slices.Contains(keys, name) {
		return "", fmt.Errorf("a key is one of %s, not %q", strings.Join(keys, ", "), name)
	}
	return Key(name), nil
}

// Client is who asks.
type Client struct {
	// IP is the address.
	IP string
	// App is the application id, Session the session token, User the id of its user, APIKey the key of the app: each "" if it isn't
	// known to be one.
	App, Session, User, APIKey string
}

// key names whose requests are counted with those of the client. The kinds of names can't be mistaken for each other:
// application ids and addresses hold no zero byte.
func (z *Zone) key(c Client) string {
	switch {
	case z.Key == ByIP:
		return Address(c.IP)
	case c.App == "":
		return "other\x00" + Address(c.IP)
	case z.Key == ByApp:
		return c.App
	case z.Key == ByUser && c.User != "":
		return c.App + "\x00\x00\x00" + c.User
	case (z.Key == BySession || z.Key == ByUser) && c.Session != "":
		return c.App + "\x00\x00" + c.Session
	case z.Key == ByAPIKey && c.APIKey != "":
		return c.App + "\x00\x00" + c.APIKey
	}
	return c.App + "\x00" + Address(c.IP)
}
