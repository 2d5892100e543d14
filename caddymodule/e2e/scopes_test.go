package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestScopes asks the same questions as different callers while permissions change, and checks each answer against rule
// 2 of the design: it is byte for byte what a worker answers now, and shows nobody an object that its ACL keeps from
// them. Other clients ask the same questions all the time, so that answers are on their way while something changes.
func TestScopes(t *testing.T) {
	testservices.NeedTime(t, "10 s of changing permissions")
	g := startGateway(t, bundledApp("", ""))
	s := newScopes(t, g)
	var random []*rand.Rand
	for n := range uint64(4) {
		random = append(random, rand.New(rand.NewPCG(s.seed, 100+n)))
	}
	defer again(len(random), func(i int) {
		s.mu.RLock()
		c, q := s.callers[random[i].IntN(len(s.callers))], scopedQuestions[random[i].IntN(len(scopedQuestions))]
		s.mu.RUnlock()
		_, _ = c.do("GET", s.path(q), "")
	})()
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end) && !t.Failed(); {
		s.change(t)
		s.compare(t)
	}
	t.Logf("%d answers compared, %d of them hits; %d changes", s.compared, s.hits, s.changes)
	if s.compared < 500 || float64(s.hits) < minScopedHits*float64(s.compared) {
		t.Errorf("%d of %d answers were hits, want a share of %.2f", s.hits, s.compared, minScopedHits)
	}
}

const (
	minScopedHits = 0.3
	scopedClass   = "ScopedObject"
	scopedCount   = 8
	publicUser    = -1
)

// caller is who asks.
type caller struct {
	*client
	name   string
	user   int  // index into scopes.users; publicUser for anybody
	master bool // sees everything
	denied bool // always gets 209
}

// user is what is known of one user.
type user struct {
	id, token, name, password string
	loggedIn                  bool
	roles                     [scopedRoles]bool // as a member
}

const (
	scopedUsers = 5 // the last is anonymous
	scopedRoles = 3 // role2 is a child of role1: its members have role1 too
)

type scopes struct {
	seed   uint64
	random *rand.Rand
	master *client

	mu      sync.RWMutex // callers change when somebody logs in again
	callers []caller

	users   [scopedUsers]user
	roles   [scopedRoles]string // object ids
	child   bool                // role2 is a child of role1 now
	ids     [scopedCount]string
	acls    [scopedCount]map[string]bool // who may read
	changes int

	compared, hits int
}

func newScopes(t *testing.T, g *gateway) *scopes {
	s := &scopes{seed: uint64(time.Now().UnixNano()), master: newClient(t, g.url()).with("X-Parse-Master-Key", masterKey)}
	t.Logf("seed %d", s.seed)
	s.random = rand.New(rand.NewPCG(s.seed, 1))
	for i := range s.users {
		s.signUp(t, i)
	}
	for i := range s.roles {
		s.roles[i] = s.createRole(t, i)
	}
	for i := range s.ids {
		s.acls[i] = map[string]bool{"*": true}
		s.ids[i] = s.master.create(t, scopedClass, fmt.Sprintf(`{"n":%d,"half":%d,"ACL":{"*":{"read":true}}}`, i, i%2))
		s.master.create(t, "ScopedHolder", fmt.Sprintf(`{"n":%d,"target":{"__type":"Pointer","className":%q,"objectId":%q}}`, i, scopedClass, s.ids[i]))
	}
	s.renew()
	return s
}

func (s *scopes) createRole(t *testing.T, i int) string {
	var made struct{ ObjectID string }
	s.master.must(t, "POST", "/roles", fmt.Sprintf(`{"name":"role%d","ACL":{}}`, i), &made)
	return made.ObjectID
}

// signUp makes a new user in the place of an old one.
func (s *scopes) signUp(t *testing.T, i int) {
	s.changes++
	u := user{name: fmt.Sprintf("user%d-%d", i, s.changes), password: "first", loggedIn: true}
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, u.name, u.password)
	if i == scopedUsers-1 {
		body = fmt.Sprintf(`{"authData":{"anonymous":{"id":%q}}}`, u.name)
	}
	var made struct{ ObjectID, SessionToken string }
	s.master.with("X-Parse-Master-Key", "").must(t, "POST", "/users", body, &made)
	u.id, u.token = made.ObjectID, made.SessionToken
	s.users[i] = u
}

// renew makes the callers from what is known.
func (s *scopes) renew() {
	rest := s.master.with("X-Parse-Master-Key", "")
	all := []caller{
		{client: rest, name: "the REST key", user: publicUser},
		{client: rest.with("X-Parse-REST-API-Key", "", "X-Parse-Javascript-Key", jsKey), name: "the JavaScript key", user: publicUser},
		{client: s.master, name: "the master key", user: publicUser, master: true},
		{client: rest.with("X-Parse-Session-Token", "r:nobodys"), name: "a wrong session", user: publicUser, denied: true},
		{client: rest.with("Origin", "https://example.com"), name: "another origin", user: publicUser},
	}
	for i, u := range s.users {
		c := rest.with("X-Parse-Session-Token", u.token)
		all = append(all, caller{client: c, name: fmt.Sprintf("user %d", i), user: i, denied: !u.loggedIn})
	}
	s.mu.Lock()
	s.callers = all
	s.mu.Unlock()
}

// entitlements are the names under which a caller may be given an object.
func (s *scopes) entitlements(c *caller) []string {
	names := []string{"*"}
	if c.user == publicUser {
		return names
	}
	u := &s.users[c.user]
	names = append(names, u.id)
	for i, in := range u.roles {
		if in || i == 1 && s.child && u.roles[2] {
			names = append(names, fmt.Sprintf("role:role%d", i))
		}
	}
	return names
}

func (s *scopes) sees(c *caller, object int) bool {
	return c.master || slices.ContainsFunc(s.entitlements(c), func(name string) bool { return s.acls[object][name] })
}

// change makes one random change of who may see what. When it returns, it has been acknowledged.
func (s *scopes) change(t *testing.T) {
	s.changes++
	i := s.random.IntN(scopedUsers)
	u := &s.users[i]
	switch s.random.IntN(12) {
	case 0, 1, 2, 3: // an ACL
		object := s.random.IntN(scopedCount)
		names := []string{"*", "role:role0", "role:role1", "role:role2", u.id, s.users[s.random.IntN(scopedUsers)].id}
		acl := map[string]bool{}
		for range s.random.IntN(3) {
			acl[names[s.random.IntN(len(names))]] = true
		}
		s.setACL(t, object, acl)
	case 4, 5, 6: // a member of a role
		r := s.random.IntN(scopedRoles)
		op := "AddRelation"
		if u.roles[r] {
			op = "RemoveRelation"
		}
		s.master.must(t, "PUT", "/roles/"+s.roles[r], fmt.Sprintf(`{"users":{"__op":%q,"objects":[{"__type":"Pointer","className":"_User","objectId":%q}]}}`, op, u.id), nil)
		u.roles[r] = !u.roles[r]
	case 7: // a role in a role
		op := "AddRelation"
		if s.child {
			op = "RemoveRelation"
		}
		s.master.must(t, "PUT", "/roles/"+s.roles[1], fmt.Sprintf(`{"roles":{"__op":%q,"objects":[{"__type":"Pointer","className":"_Role","objectId":%q}]}}`, op, s.roles[2]), nil)
		s.child = !s.child
	case 8: // a role goes and comes back without members
		r := s.random.IntN(scopedRoles)
		s.master.must(t, "DELETE", "/roles/"+s.roles[r], "", nil)
		if r > 0 {
			s.child = false
		}
		for i := range s.users {
			s.users[i].roles[r] = false
		}
		s.roles[r] = s.createRole(t, r)
	case 9: // log out, or in again
		switch {
		case u.loggedIn:
			s.master.with("X-Parse-Master-Key", "", "X-Parse-Session-Token", u.token).must(t, "POST", "/logout", "{}", nil)
			u.loggedIn = false
		case i == scopedUsers-1:
			s.signUp(t, i) // an anonymous user who logged out is gone for good
		default:
			s.logIn(t, u)
		}
	case 10: // a user goes
		s.master.must(t, "DELETE", "/users/"+u.id, "", nil)
		if s.random.IntN(2) == 0 {
			u.loggedIn = false
			u.roles = [scopedRoles]bool{}
			s.renew()
			s.compare(t)
		}
		s.signUp(t, i)
	case 11: // another password ends the sessions
		if i == scopedUsers-1 || !u.loggedIn {
			return
		}
		s.master.must(t, "PUT", "/users/"+u.id, `{"password":"second"}`, nil)
		u.password, u.loggedIn = "second", false
	}
	s.renew()
}

func (s *scopes) logIn(t *testing.T, u *user) {
	var in struct{ SessionToken string }
	s.master.with("X-Parse-Master-Key", "").must(t, "POST", "/login", fmt.Sprintf(`{"username":%q,"password":%q}`, u.name, u.password), &in)
	u.token, u.loggedIn = in.SessionToken, true
}

func (s *scopes) setACL(t *testing.T, object int, acl map[string]bool) {
	text := []string{}
	for name := range acl {
		text = append(text, fmt.Sprintf(`%q:{"read":true}`, name))
	}
	s.master.must(t, "PUT", "/classes/"+scopedClass+"/"+s.ids[object], `{"ACL":{`+strings.Join(text, ",")+`}}`, nil)
	s.acls[object] = acl
}

// scopedQuestions have the id of an object at %s.
var scopedQuestions = []string{
	"/classes/" + scopedClass + "?order=n",
	where(scopedClass, `{"half":1}`, "order=n"),
	where(scopedClass, `{"n":{"$in":[1,2,5]}}`, "order=n"),
	"/classes/" + scopedClass + "?order=-n&limit=2",
	"/classes/" + scopedClass + "?count=1&limit=0",
	"/classes/ScopedHolder?include=target&order=n",
	where("ScopedHolder", `{"target":{"$inQuery":{"className":"`+scopedClass+`","where":{"half":0}}}}`, "order=n"),
	"/classes/" + scopedClass + "/0",
	"/classes/" + scopedClass + "/1",
	"/classes/" + scopedClass + "/2",
	"/users?order=createdAt",
	"/roles?order=name",
}

// path puts an object's id into a question.
func (s *scopes) path(q string) string {
	for i := range 3 {
		if rest, ok := strings.CutSuffix(q, fmt.Sprintf("/%d", i)); ok {
			return rest + "/" + s.ids[i]
		}
	}
	return q
}

// compare asks some questions as everybody.
func (s *scopes) compare(t *testing.T) {
	t.Helper()
	for _, k := range s.random.Perm(len(scopedQuestions))[:3] {
		path := s.path(scopedQuestions[k])
		for i := range s.callers {
			c := &s.callers[i]
			first := s.ask(t, c, path)
			now := s.askWorker(t, c, path)
			again := s.ask(t, c, path)
			for _, a := range []answer{first, again} {
				if a.status != now.status || a.body != now.body {
					t.Errorf("%s, GET %s (seed %d): %s answered %d %s\na worker answers %d %s", c.name, path, s.seed,
						a.header.Get("Cache-Status"), a.status, a.body, now.status, now.body)
				}
				if x, y := comparable(a.header), comparable(now.header); x != y {
					t.Errorf("%s, GET %s (seed %d): %s had the header %s\na worker answers with %s", c.name, path, s.seed, a.header.Get("Cache-Status"), x, y)
				}
				if c.master && a.verdict() != bypassed {
					t.Errorf("a request with the master key met the cache: %s", a.header.Get("Cache-Status"))
				}
			}
			s.permitted(t, c, path, now)
		}
	}
}

// comparable is a header without what must differ.
func comparable(h http.Header) string {
	h = h.Clone()
	h.Del("Date")
	h.Del("Cache-Status")
	h.Del("Vary")              // what is stored may be sent compressed
	text, _ := json.Marshal(h) // strings always marshal
	return string(text)
}

func (s *scopes) ask(t *testing.T, c *caller, path string) answer {
	t.Helper()
	a, err := c.do("GET", path, "")
	if err != nil {
		t.Fatal(err)
	}
	s.compared++
	if a.verdict() == hit {
		s.hits++
	}
	return a
}

func (s *scopes) askWorker(t *testing.T, c *caller, path string) answer {
	t.Helper()
	a, err := c.with("Cache-Control", "no-cache").do("GET", path, "")
	if err != nil {
		t.Fatal(err)
	}
	if v := a.verdict(); v == hit {
		t.Errorf("no-cache was answered by the cache")
	}
	return a
}

// permitted checks an answer against what is known of ACLs, roles and sessions.
func (s *scopes) permitted(t *testing.T, c *caller, path string, a answer) {
	t.Helper()
	if c.denied {
		if !strings.Contains(a.body, `"code":209`) {
			t.Errorf("%s, whose session isn't valid, GET %s (seed %d): answered %d %s", c.name, path, s.seed, a.status, a.body)
		}
		return
	}
	if !strings.HasPrefix(path, "/classes/") {
		return
	}
	for i, id := range s.ids {
		if shows(a.body, id) && !s.sees(c, i) {
			t.Errorf("%s, GET %s (seed %d): object %d with the ACL %v is shown\n%s", c.name, path, s.seed, i, s.acls[i], a.body)
		}
	}
	switch {
	case path == scopedQuestions[0]:
		var got struct{ Results []struct{ N int } }
		_ = json.Unmarshal([]byte(a.body), &got)
		want := 0
		for i := range s.ids {
			if s.sees(c, i) {
				want++
			}
		}
		if a.status != http.StatusOK || len(got.Results) != want {
			t.Errorf("%s, GET %s (seed %d): %d objects, want %d: %d %s", c.name, path, s.seed, len(got.Results), want, a.status, a.body)
		}
	}
}

// shows reports whether an object stands in the body with its fields, and not only as a pointer.
func shows(body, id string) bool {
	var walk func(v any) bool
	walk = func(v any) bool {
		switch v := v.(type) {
		case map[string]any:
			if _, filled := v["half"]; filled && v["objectId"] == id {
				return true
			}
			for _, member := range v {
				if walk(member) {
					return true
				}
			}
		case []any:
			return slices.ContainsFunc(v, walk)
		}
		return false
	}
	var v any
	return json.Unmarshal([]byte(body), &v) == nil && walk(v)
}
