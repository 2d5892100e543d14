package caddymodule

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parsescale/parsescale/server/change"
)

// TestScopes asks the same questions under the REST key, the JavaScript key, the master key, and as five users with
// differing roles, through the gateway and of the worker itself, and compares byte by byte, while ACLs, class-level
// permissions, protected fields, roles and sessions change at random. -rapid.checks says for how long.
func TestScopes(t *testing.T) {
	p := newProof(t, tampering{}, anACL, anACL, anACL, aField, anObject, aMember, aMember, aRole, permissions, noPermissions,
		allPublic, allPublic, allPublic, aSession, aPassword, aUser, anOwner, anOwner)
	rapid.Check(t, p.step)
	t.Logf("%d answers compared after %d writes; %d of %d that might be were hits; %d stored answers were everyone's",
		p.compared, p.writes, p.hits, p.cacheable, p.s.gateway.cache.Stats().Shared)
	if p.cacheable > 500 && p.hits*10 < p.cacheable*3 {
		t.Errorf("only %d of %d answers were hits: that proves little", p.hits, p.cacheable)
	}
}

// TestScopesCanFail breaks what the gateway is told, and demands that the check of TestScopes notices.
func TestScopesCanFail(t *testing.T) {
	rightsOf := func(classes ...string) func(change.Change) bool {
		return func(ch change.Change) bool { return slices.Contains(classes, ch.Class) }
	}
	private := func(i *change.Image) bool {
		if i == nil {
			return false
		}
		readers, there := i.Fields["_rperm"].([]any)
		return there && !slices.Contains(readers, any("*"))
	}
	for _, tt := range []struct {
		name   string
		kinds  []kind // of writes that bring it out
		tamper tampering
	}{
		{"the scope is left out of the key", []kind{anACL}, tampering{answer: func(h http.Header) {
			if v := h.Get("X-Parsescale-Rights"); v != "" {
				_, on, _ := strings.Cut(v, " ")
				h.Set("X-Parsescale-Rights", "everybody-alike-- "+on)
			}
		}}},
		{"every answer is said to be everyone's", []kind{anACL}, tampering{answer: func(h http.Header) {
			if v, told := h["X-Parsescale-Reads"]; told && !strings.Contains(v[0], "no-store") {
				h.Set("X-Parsescale-Reads", v[0]+" for=everyone")
			}
		}}},
		{"the first private object doesn't end sharing", []kind{anACL, allPublic}, tampering{hush: func(ch change.Change) bool {
			return ch.Class == proofClass && private(ch.After) && !private(ch.Before)
		}}},
		{"a change of a role's members isn't told", []kind{anACL, aMember}, tampering{hush: rightsOf("_Join:users:_Role", "_Role")}},
		{"the end of a session isn't told", []kind{aSession, aPassword}, tampering{hush: rightsOf("_Session", "_User")}},
		{"a change of permissions isn't told", []kind{permissions, noPermissions}, tampering{hush: func(ch change.Change) bool { return ch.Kind == change.Schema }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProof(t, tt.tamper, tt.kinds...)
			const most = 1000
			c := seeded{t, rand.New(rand.NewPCG(1, 2))}
			for n := range most {
				if p.do(c); p.found != "" {
					t.Logf("noticed in step %d: %s", n+1, p.found)
					return
				}
			}
			t.Errorf("not noticed in %d steps", most)
		})
	}
}

// kind is a kind of write.
type kind uint8

const (
	anACL kind = iota
	aField
	anObject
	aMember
	aRole
	permissions
	noPermissions
	allPublic
	aSession
	aPassword
	aUser
	anOwner
)

const (
	proofClass  = "Proof"
	proofHolder = "ProofHolder"
	proofUsers  = 5
	proofRoles  = 3
)

// proof is the world of TestScopes. It goes on from one of rapid's cases to the next: to begin each anew would take most
// of the time.
type proof struct {
	s       *ownSite
	kinds   []kind // of writes, as often as they are made
	users   [proofUsers]proofUser
	roles   [proofRoles]string
	objects []string
	// inRole and roleInRole are who is a member now.
	inRole     map[[2]int]bool
	roleInRole map[[2]int]bool
	names      int
	log        []string // the latest writes

	compared, writes, hits, cacheable int
	found                             string
}

type proofUser struct {
	id, name string
	asker    asker
	in       bool // logged in
}

func newProof(t testing.TB, tamper tampering, kinds ...kind) *proof {
	p := &proof{s: newOwnSite(t, tamper, nil), kinds: kinds, inRole: map[[2]int]bool{}, roleInRole: map[[2]int]bool{}}
	for i := range p.users {
		u := &p.users[i]
		u.name, u.in = fmt.Sprintf("user%d", i), true
		u.id, u.asker = p.s.signUp(t, u.name)
	}
	for i := range p.roles {
		p.roles[i] = p.s.role(t, fmt.Sprintf("role%d", i))
	}
	p.s.must(t, byMaster, "POST", "/schemas/"+proofClass, `{"className":"Proof","fields":{"n":{"type":"Number"},"secret":{"type":"Number"},"owner":{"type":"Pointer","targetClass":"_User"},"kin":{"type":"Relation","targetClass":"Proof"}}}`, nil)
	for i := range 6 {
		p.objects = append(p.objects, p.s.object(t, proofClass, fmt.Sprintf(`{"n":%d,"secret":%d,"owner":{"__type":"Pointer","className":"_User","objectId":%q}}`, i, i%2, p.users[i%proofUsers].id)))
	}
	for i, id := range p.objects {
		p.s.object(t, proofHolder, fmt.Sprintf(`{"n":%d,"to":{"__type":"Pointer","className":"Proof","objectId":%q}}`, i, id))
	}
	p.s.must(t, byMaster, "PUT", "/classes/"+proofClass+"/"+p.objects[0], `{"kin":`+relation("AddRelation", proofClass, p.objects...)+`}`, nil)
	return p
}

// choices is where the steps get their choices from: rapid's cases, or a seed.
type choices interface {
	Helper()
	Fatalf(format string, args ...any)
	pick(n int, label string) int
}

type drawn struct{ *rapid.T }

type seeded struct {
	testing.TB
	random *rand.Rand
}

func (s seeded) pick(n int, _ string) int { return s.random.IntN(n) }

func (d drawn) pick(n int, label string) int { return rapid.IntRange(0, n-1).Draw(d.T, label) }

// step makes a write and compares what everybody is answered.
func (p *proof) step(t *rapid.T) {
	p.found = ""
	p.do(drawn{t})
	if p.found != "" {
		t.Fatalf("%s\nlatest writes:\n%s", p.found, strings.Join(p.log, "\n"))
	}
}

func (p *proof) do(c choices) {
	questions := p.questions()
	question := questions[c.pick(len(questions), "question")]
	for _, who := range p.askers() { // so that there is something for the writes to change
		p.s.ask(p.s.server, who, "GET", "/parse"+question, "")
	}
	for range 1 + c.pick(2, "more writes") {
		p.write(c)
	}
	p.compare(question)
}

func (p *proof) questions() []string {
	class := "/classes/" + proofClass
	return []string{
		class + "?order=n", class + "?order=n", class, class + "?order=-n&limit=2", class + "?order=n&limit=2&skip=1", class + "?count=1&limit=0",
		class + "?count=1&limit=0&order=n", class + "?count=1&limit=1&order=n", class + "?order=updatedAt&limit=2",
		class + "?order=n&keys=n,secret", class + "?order=n&include=owner", class + "?order=secret,n",
		class + "/" + p.objects[0], class + "/" + p.objects[1], class + "/comesAndGoes", class + "/comesAndGoes?include=owner", class + "/" + p.objects[1] + "?include=owner",
		where(proofClass, `{"n":{"$lt":3}}`), where(proofClass, `{"secret":1}`), where(proofClass, `{"objectId":"`+p.objects[2]+`"}`),
		where(proofClass, `{"owner":{"__type":"Pointer","className":"_User","objectId":"`+p.users[0].id+`"}}`),
		where(proofClass, `{"$relatedTo":{"object":{"__type":"Pointer","className":"Proof","objectId":"`+p.objects[0]+`"},"key":"kin"}}`) + "&order=n",
		"/classes/" + proofHolder + "?include=to&order=n", "/classes/" + proofHolder + "?include=to.owner&order=n",
		where(proofHolder, `{"to":{"$inQuery":{"className":"Proof","where":{"n":{"$gt":2}}}}}`) + "&order=n",
		where(proofHolder, `{"n":{"$select":{"query":{"className":"Proof","where":{"secret":1}},"key":"n"}}}`) + "&order=n",
		"/users?order=username", "/users/" + p.users[1].id, "/roles?order=name",
	}
}

func (p *proof) askers() []asker {
	all := []asker{byREST, byJS, byMaster, byREST.with("a wrong key", "X-Parse-REST-API-Key", "wrong"), session("a wrong session", "r:nobodys")}
	for i := range p.users {
		all = append(all, p.users[i].asker)
	}
	return append(all, p.users[0].asker.with("user0 with the JavaScript key", "X-Parse-REST-API-Key", "", "X-Parse-Javascript-Key", ownJS))
}

// compare asks everybody's question through the gateway, twice, and of the worker.
func (p *proof) compare(question string) {
	for _, who := range p.askers() {
		now := p.s.ask(p.s.worker, who, "GET", "/parse"+question, "")
		for range 2 {
			got := p.s.ask(p.s.server, who, "GET", "/parse"+question, "")
			p.compared++
			v := verdict(got)
			missing := got.Code == http.StatusNotFound && strings.HasPrefix(got.Body.String(), `{"code":101,`)
			if v != "bypass" && (got.Code == http.StatusOK || missing) {
				if p.cacheable++; v == "hit" {
					p.hits++
				}
			}
			switch {
			case got.Code != now.Code || got.Body.String() != now.Body.String() || shown(got.Header()) != shown(now.Header()):
				p.differs("%s asks %s: %s answered %d %s %s\na worker answers %d %s %s", who.name, question, got.Header().Get("Cache-Status"),
					got.Code, got.Body, shown(got.Header()), now.Code, now.Body, shown(now.Header()))
			case v != "bypass" && (who.name == byMaster.name):
				p.differs("a request with the master key met the cache: %s", got.Header().Get("Cache-Status"))
			case v == "hit" && got.Code != http.StatusOK && !missing:
				p.differs("a refusal was a hit")
			}
		}
	}
}

func (p *proof) differs(format string, args ...any) {
	if p.found == "" {
		p.found = fmt.Sprintf(format, args...)
	}
}

// shown is a header without what only the gateway sets, or only it may see.
func shown(h http.Header) string {
	h = h.Clone()
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return name == "Date" || name == "Cache-Status" || name == "Vary" || name == "Server" || name == "Content-Length" || isInternal(name) && h.Get("Cache-Status") == ""
	})
	text, _ := json.Marshal(h) // strings always marshal
	return string(text)
}

// write makes one random change.
func (p *proof) write(c choices) {
	p.writes++
	user, role := c.pick(proofUsers, "user"), c.pick(proofRoles, "role")
	object := p.objects[c.pick(len(p.objects), "object")]
	u := &p.users[user]
	switch p.kinds[c.pick(len(p.kinds), "write")] {
	case anACL:
		p.send(c, "PUT", "/classes/"+proofClass+"/"+object, `{"ACL":`+p.acl(c)+`}`)
	case aField:
		p.send(c, "PUT", "/classes/"+proofClass+"/"+object, fmt.Sprintf(`{"n":%d}`, c.pick(6, "n")))
	case anOwner: // whom pointer permissions may go by
		p.send(c, "PUT", "/classes/"+proofClass+"/"+object, fmt.Sprintf(`{"owner":{"__type":"Pointer","className":"_User","objectId":%q}}`, u.id))
	case anObject: // an object comes, for a while
		const id = "comesAndGoes"
		p.send(c, "POST", "/classes/"+proofClass, fmt.Sprintf(`{"objectId":%q,"n":%d,"secret":%d,"ACL":%s}`, id, c.pick(6, "n"), c.pick(2, "secret"), p.acl(c)))
		p.compare("/classes/" + proofClass + "?order=n")
		p.compare("/classes/" + proofClass + "/" + id)
		p.send(c, "PUT", "/classes/"+proofClass+"/"+id, `{"ACL":`+p.acl(c)+`}`)
		p.compare("/classes/" + proofClass + "/" + id)
		p.send(c, "DELETE", "/classes/"+proofClass+"/"+id, "")
	case aMember: // of a role
		p.toggle(c, p.inRole, [2]int{role, user}, p.roles[role], "users", "_User", u.id)
	case aRole: // a role of a role
		other := c.pick(proofRoles, "other role")
		p.toggle(c, p.roleInRole, [2]int{role, other}, p.roles[role], "roles", "_Role", p.roles[other])
	case permissions:
		p.send(c, "PUT", "/schemas/"+proofClass, `{"classLevelPermissions":{`+p.permissions(c)+`}}`)
	case noPermissions:
		p.send(c, "PUT", "/schemas/"+proofClass, `{"classLevelPermissions":{"find":{"*":true},"get":{"*":true},"count":{"*":true}}}`)
	case allPublic: // everything is public again
		p.send(c, "PUT", "/schemas/"+proofClass, `{"classLevelPermissions":{"find":{"*":true},"get":{"*":true},"count":{"*":true}}}`)
		for _, id := range p.objects {
			p.send(c, "PUT", "/classes/"+proofClass+"/"+id, `{"ACL":{"*":{"read":true}}}`)
		}
	case aSession: // out, or in again
		if u.in {
			p.sendAs(c, u.asker, "POST", "/logout", "{}")
		} else {
			var in struct{ SessionToken string }
			p.s.must(c, byREST, "POST", "/login", fmt.Sprintf(`{"username":%q,"password":"p"}`, u.name), &in)
			u.asker = session(u.name, in.SessionToken)
		}
		u.in = !u.in
	case aPassword: // another password ends the sessions
		p.send(c, "PUT", "/users/"+u.id, `{"password":"p"}`)
		u.in = false
	case aUser: // a user goes, and somebody else comes
		p.send(c, "DELETE", "/users/"+u.id, "")
		p.compare("/classes/" + proofClass + "?order=n")
		p.names++
		u.name, u.in = fmt.Sprintf("user%d-%d", user, p.names), true
		var made struct{ ObjectID, SessionToken string }
		p.s.must(c, byREST, "POST", "/users", fmt.Sprintf(`{"username":%q,"password":"p"}`, u.name), &made)
		u.id, u.asker = made.ObjectID, session(u.name, made.SessionToken)
		for r := range proofRoles {
			delete(p.inRole, [2]int{r, user})
		}
		p.send(c, "PUT", "/classes/"+proofClass+"/"+object, fmt.Sprintf(`{"owner":{"__type":"Pointer","className":"_User","objectId":%q}}`, u.id))
	}
}

func (p *proof) toggle(c choices, members map[[2]int]bool, key [2]int, role, field, class, id string) {
	op := "AddRelation"
	if members[key] {
		op = "RemoveRelation"
	}
	members[key] = !members[key]
	p.send(c, "PUT", "/roles/"+role, `{"`+field+`":`+relation(op, class, id)+`}`)
}

func (p *proof) send(c choices, method, path, body string) { p.sendAs(c, byMaster, method, path, body) }

func (p *proof) sendAs(c choices, who asker, method, path, body string) {
	c.Helper()
	p.log = append(p.log, fmt.Sprintf("%s: %s %s %s", who.name, method, path, body))
	p.log = p.log[max(0, len(p.log)-20):]
	p.s.must(c, who, method, path, body, nil)
}

// entities are who may be named in permissions.
func (p *proof) entities() []string {
	return []string{"*", "*", p.users[0].id, p.users[1].id, p.users[2].id, "role:role0", "role:role1", "role:role2"}
}

func (p *proof) acl(c choices) string {
	var parts []string
	all := p.entities()
	for range c.pick(3, "entries") {
		parts = append(parts, fmt.Sprintf(`%q:{"read":true}`, all[c.pick(len(all), "reader")]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// permissions are random class-level permissions, protected fields among them.
func (p *proof) permissions(c choices) string {
	var parts []string
	for _, op := range []string{"find", "get", "count"} {
		var grants []string
		for range 1 + c.pick(2, "grants") {
			switch c.pick(4, "grant") {
			case 0:
				grants = append(grants, `"requiresAuthentication":true`)
			case 1:
				grants = append(grants, `"pointerFields":["owner"]`)
			case 2:
				all := p.entities()
				grants = append(grants, fmt.Sprintf(`%q:true`, all[c.pick(len(all), "granted")]))
			default:
				grants = append(grants, `"*":true`)
			}
		}
		parts = append(parts, `"`+op+`":{`+strings.Join(grants, ",")+`}`)
	}
	if c.pick(3, "more") == 0 {
		parts = append(parts, `"readUserFields":["owner"]`)
	}
	var hidden []string
	for _, who := range []string{"*", "authenticated", "userField:owner", "role:role0", p.users[0].id} {
		switch c.pick(3, who) {
		case 0:
			hidden = append(hidden, fmt.Sprintf(`%q:["secret"]`, who))
		case 1:
			hidden = append(hidden, fmt.Sprintf(`%q:[]`, who))
		}
	}
	return strings.Join(append(parts, `"protectedFields":{`+strings.Join(hidden, ",")+`}`), ",")
}

// TestHostsShareNoAnswers: workers that aren't ours write the addresses of files by how the client came, so nobody can have another's
// client sent elsewhere.
func TestHostsShareNoAnswers(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"results":[{"objectId":"o1","f":{"__type":"File","name":"a.txt","url":"%s://%s/parse/files/app/a.txt"}}]}`, r.Header.Get("X-Forwarded-Proto"), r.Host)
	})
	s := newSite(t, "{\n\tadmin off\n\tservers {\n\t\ttrusted_proxies static 10.0.0.0/8\n\t}\n}\n:9 {\n\tparse "+w.addr()+" {\n\t\tcache\n\t}\n}")
	ask := func(host, proxy, proto string, secure bool) string {
		r := httptest.NewRequest("GET", "http://"+host+"/parse/classes/A", http.NoBody)
		r.Header.Set("X-Parse-Application-Id", "app")
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
		}
		r.RemoteAddr = proxy + ":1"
		if secure {
			r.TLS = new(tls.ConnectionState)
		}
		rec := httptest.NewRecorder()
		s.server.ServeHTTP(rec, r)
		_, verdict, _ := strings.Cut(rec.Header().Get("Cache-Status"), "; ")
		_, url, _ := strings.Cut(rec.Body.String(), `"url":"`)
		url, _, _ = strings.Cut(url, "/parse")
		return verdict + " " + url
	}
	for _, tt := range []struct {
		host, from, proto string
		tls               bool
		want              string
	}{
		{"evil.example", "9.9.9.9", "", false, "fwd=miss; stored http://evil.example"},
		{"api.example", "9.9.9.9", "", false, "fwd=miss; stored http://api.example"},
		{"API.example", "9.9.9.9", "", false, "hit http://api.example"},
		{"api.example", "9.9.9.9", "https", false, "hit http://api.example"}, // nobody believes that client
		{"api.example", "9.9.9.9", "", true, "fwd=miss; stored https://api.example"},
		{"api.example", "10.0.0.1", "https", false, "hit https://api.example"},
		{"api.example", "10.0.0.1", "http", false, "hit http://api.example"},
	} {
		if got := ask(tt.host, tt.from, tt.proto, tt.tls); got != tt.want {
			t.Errorf("%+v: got %s", tt, got)
		}
	}
}
