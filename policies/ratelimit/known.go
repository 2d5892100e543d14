package ratelimit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/zeebo/xxh3"

	"github.com/parsescale/parsescale/policies/request"
)

// Bounds of what is remembered. Sessions beyond them are forgotten, the least recently used first, and known again with their
// next answer. Keys of an app are never forgotten: where its workers ask for none, any text is a key, and a client that had
// each forgotten by the next one would never be limited.
const (
	maxKnownApps     = 1024
	maxKnownSessions = 100_000
	maxKnownKeys     = 16
	maxKeyLength     = 256
	maxUserLength    = 128
	maxUserBody      = 1 << 20
)

// Known is what workers have accepted of what clients sent: application ids, session tokens and client keys. It is safe for
// concurrent use and may outlive the configuration that made it.
type Known struct {
	app      string
	seed     uint64
	apps     *lru.Cache[string, struct{}]
	sessions *lru.Cache[xxh3.Uint128, string] // users, "" where they aren't known, by hashes: no token is kept in clear

	mu   sync.RWMutex
	own  *request.ClientKeys
	keys map[string][]string // by app
}

// NewKnown knows the application id of a gateway's workers, if that was told; "" has it learn which they know.
func NewKnown(app string) (*Known, error) {
	k := &Known{app: app, seed: rand.Uint64(), keys: map[string][]string{}}
	var err error
	if k.apps, err = lru.New[string, struct{}](maxKnownApps); err != nil {
		return nil, fmt.Errorf("cannot make room for application ids: %w", err)
	}
	if k.sessions, err = lru.New[xxh3.Uint128, string](maxKnownSessions); err != nil {
		return nil, fmt.Errorf("cannot make room for sessions: %w", err)
	}
	return k, nil
}

// SetKeys tells which client keys the workers take, "" being none, so that none has to be learned.
func (k *Known) SetKeys(own request.ClientKeys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.own = &own
}

// Client is who a request comes from, as far as it is known and the zones need it.
func (k *Known) Client(r *request.Request, ip string, zs Zones) Client {
	c := Client{IP: ip}
	if r.AppID == "" || r.AppID != k.app && (k.app != "" || !k.apps.Contains(r.AppID)) {
		return c
	}
	c.App = r.AppID
	if r.Session != "" && (zs.by(BySession) || zs.by(ByUser)) {
		if user, ok := k.sessions.Get(k.session(r.AppID, r.Session)); ok { // which makes it the most recently used
			c.Session, c.User = r.Session, user
		}
	}
	if zs.by(ByAPIKey) {
		c.APIKey = k.key(r)
	}
	return c
}

// Answer is what a worker says of the user a request comes from, or brings: where it says nothing, or the answer comes from
// the cache, it is empty.
type Answer struct {
	// User is the id of the user that the session token of the request stands for, where the worker says that aside.
	User string
	// Body is the answer itself.
	Body []byte
}

// Learn takes note that a worker, or the cache with an answer to just such a request, has done what the request asks for: then
// its credentials are right. It reports whether that makes another Client of it.
func (k *Known) Learn(r *request.Request, zs Zones, a Answer) (changed bool) {
	if r.AppID == "" || r.Doubtful || r.Privileged || k.app != "" && r.AppID != k.app {
		return false
	}
	users := zs.by(ByUser)
	sessions := users || zs.by(BySession)
	switch r.Op {
	case request.Find, request.Get, request.Create, request.Update, request.Delete, request.Batch, request.Function:
	case request.Me:
		if users && a.User == "" && r.Class == "_User" {
			a.User, _ = userIn(a.Body)
		}
	case request.LogIn, request.SignUp:
		if user, token := userIn(a.Body); users && user != "" && token != "" {
			k.learnSession(r.AppID, token, user)
		}
		sessions = false // it pays no regard to the request's
	default:
		return false // some are answered whoever asks
	}
	if k.app == "" {
		known, _ := k.apps.ContainsOrAdd(r.AppID, struct{}{})
		changed = !known
	}
	if sessions && r.Session != "" && k.learnSession(r.AppID, r.Session, a.User) {
		changed = true
	}
	if zs.by(ByAPIKey) && k.learnKey(r) {
		changed = true
	}
	return changed
}

// learnSession remembers a session that is right, and its user unless that is "".
func (k *Known) learnSession(app, token, user string) (changed bool) {
	if len(user) > maxUserLength {
		user = ""
	}
	s := k.session(app, token)
	if before, known := k.sessions.Peek(s); known && (user == "" || user == before) {
		return false
	}
	k.sessions.Add(s, user)
	return true
}

// userIn reads a user's id and session token from the answer to a log-in, a sign-up or the question who one is. Names count as
// they are written: a user may have a field ObjectId of its own.
func userIn(body []byte) (id, token string) {
	var fields map[string]json.RawMessage
	if len(body) > maxUserBody || json.Unmarshal(body, &fields) != nil {
		return "", ""
	}
	if json.Unmarshal(fields["objectId"], &id) != nil || json.Unmarshal(fields["sessionToken"], &token) != nil && fields["sessionToken"] != nil {
		return "", ""
	}
	return id, token
}

func (k *Known) session(app, token string) xxh3.Uint128 {
	return xxh3.HashString128Seed(app+"\x00"+token, k.seed)
}

// key is the first of the request's client keys that is known to be right, with its kind; "" if none is. A worker is content
// with one right key, whatever the others are.
func (k *Known) key(r *request.Request) string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for i, key := range clientKeys(r.Keys) {
		right := key != ""
		if right && k.own != nil {
			right = key == clientKeys(*k.own)[i]
		} else if right {
			right = slices.Contains(k.keys[r.AppID], kindOfKey[i]+key)
		}
		if right {
			return kindOfKey[i] + key
		}
	}
	return ""
}

// learnKey remembers the request's client key if it is the only one: of several, one is right, and nobody knows which.
func (k *Known) learnKey(r *request.Request) bool {
	found := ""
	for i, key := range clientKeys(r.Keys) {
		switch {
		case key == "":
		case found != "":
			return false
		default:
			found = kindOfKey[i] + key
		}
	}
	if found == "" || len(found) > maxKeyLength || k.key(r) != "" {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	known, there := k.keys[r.AppID]
	if k.own != nil || !there && len(k.keys) >= maxKnownApps || len(known) >= maxKnownKeys || slices.Contains(known, found) {
		return false
	}
	k.keys[r.AppID] = append(known, found)
	return true
}

var kindOfKey = [...]string{"client ", "javascript ", "windows ", "rest "}

func clientKeys(k request.ClientKeys) [4]string {
	return [4]string{k.Client, k.JavaScript, k.Windows, k.REST}
}
