package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
)

// sharing is a scenario of who is answered from the cache.
type sharing struct {
	*ownSite
	t *testing.T
}

func newSharing(t *testing.T) sharing { return sharing{newOwnSite(t, tampering{}, nil), t} }

// expect asks as somebody and compares with the worker's own answer.
func (s sharing) expect(want string, who asker, path string) {
	s.t.Helper()
	rec := s.ask(s.server, who, "GET", "/parse"+path, "")
	if got := verdict(rec); got != want {
		s.t.Errorf("%s asks %s: %s, want %s", who.name, path, rec.Header().Get("Cache-Status"), want)
	}
	if now := s.ask(s.worker, who, "GET", "/parse"+path, ""); now.Code != rec.Code || now.Body.String() != rec.Body.String() {
		s.t.Errorf("%s asks %s: %d %s\na worker answers %d %s", who.name, path, rec.Code, rec.Body, now.Code, now.Body)
	}
}

// An answer in which nothing is private is everyone's, and the first private object ends that.
func TestEveryoneSharesWhatIsPublic(t *testing.T) {
	s := newSharing(t)
	annID, ann := s.signUp(t, "ann")
	_, bob := s.signUp(t, "bob")
	first := s.object(t, "A", `{"n":1}`)
	s.object(t, "A", `{"n":2,"ACL":{"*":{"read":true}}}`)
	// Each session's first question goes to a worker, which alone knows whether it is valid.
	s.object(t, "Warm", `{}`)
	for _, who := range []asker{ann, bob} {
		s.expect("stored", who, "/classes/Warm")
	}
	for _, q := range []string{"/classes/A", "/classes/A/" + first, "/classes/A?limit=1&order=n", "/classes/A?count=1&limit=0", "/classes/A?count=1&keys=n"} {
		s.expect("stored", byREST, q)
		for _, who := range []asker{byREST, ann, bob} {
			s.expect("hit", who, q)
		}
		s.expect("stored", byJS, q) // other keys may be refused
	}
	s.expect("miss", session("nobody", "r:wrong"), "/classes/A") // and is refused, as by a worker

	s.object(t, "A", fmt.Sprintf(`{"n":3,"ACL":{%q:{"read":true}}}`, annID))
	for _, who := range []asker{byREST, ann, bob} {
		s.expect("stored", who, "/classes/A")
		s.expect("hit", who, "/classes/A")
		s.expect("stored", who, "/classes/A?count=1&limit=0")
		s.expect("hit", who, "/classes/A?count=1&limit=0")
	}
	// What the private object isn't part of is still everyone's.
	s.expect("hit", bob, "/classes/A/"+first)
}

// Many who ask at once what was everyone's ask a worker once; if it isn't everyone's any more, each gets an own answer.
func TestManyAskAtOnce(t *testing.T) {
	s := newSharing(t)
	annID, ann := s.signUp(t, "ann")
	_, bob := s.signUp(t, "bob")
	askers := []asker{byREST, ann, bob}
	id := s.object(t, "A", `{"n":1}`)
	const q = "/classes/A?order=n"
	for _, who := range askers {
		s.ask(s.server, who, "GET", "/parse"+q, "")
	}
	for _, acl := range []string{`{"*":{"read":true}}`, `{"` + annID + `":{"read":true}}`} {
		s.must(t, byMaster, "PUT", "/classes/A/"+id, `{"ACL":`+acl+`}`, nil)
		asking, let := make(chan struct{}, 100), make(chan struct{})
		s.tamper.answer = func(http.Header) {
			asking <- struct{}{}
			<-let
		}
		before, joined := s.asked.Load(), s.gateway.cache.Stats().Collapsed
		results := make([]string, 0, 30)
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 10 {
			for _, who := range askers {
				wg.Go(func() {
					rec := s.ask(s.server, who, "GET", "/parse"+q, "")
					mu.Lock()
					defer mu.Unlock()
					if now := s.ask(s.worker, who, "GET", "/parse"+q, ""); now.Body.String() != rec.Body.String() {
						t.Errorf("%s got %s, a worker answers %s", who.name, rec.Body, now.Body)
					}
					results = append(results, verdict(rec))
				})
			}
		}
		<-asking
		for s.gateway.cache.Stats().Collapsed < joined+29 {
			time.Sleep(time.Millisecond)
		}
		close(let)
		wg.Wait()
		s.tamper.answer = nil
		if n := s.asked.Load() - before; strings.Contains(acl, "*") && n != 1 {
			t.Errorf("%d questions reached the worker, want 1: %v", n, results)
		}
	}
}

// What tells users apart ends sharing: each of these is asked by two users.
func TestNotEveryonesAnswers(t *testing.T) {
	s := newSharing(t)
	annID, ann := s.signUp(t, "ann")
	_, bob := s.signUp(t, "bob")
	owner := fmt.Sprintf(`"owner":{"__type":"Pointer","className":"_User","objectId":%q}`, annID)
	class := func(name, permissions string) {
		s.must(t, byMaster, "POST", "/schemas/"+name, fmt.Sprintf(`{"className":%q,"fields":{"n":{"type":"Number"},"secret":{"type":"String"},"owner":{"type":"Pointer","targetClass":"_User"}},"classLevelPermissions":{%s}}`, name, permissions), nil)
		s.object(t, name, `{"n":1,"secret":"s",`+owner+`}`)
	}
	const all = `"find":{"*":true},"get":{"*":true},"count":{"*":true}`
	class("Plain", all)
	class("Members", `"find":{"requiresAuthentication":true},"get":{"*":true},"count":{"*":true}`)
	class("Owners", `"find":{"pointerFields":["owner"]},"get":{"*":true},"count":{"*":true}`)
	class("Counted", `"find":{"*":true},"get":{"*":true},"count":{"`+annID+`":true,"requiresAuthentication":true}`)
	class("Hidden", all+`,"protectedFields":{"*":["secret"]}`)
	class("HiddenFromSome", all+`,"protectedFields":{"*":["secret"],"authenticated":[]}`)
	class("HiddenButFromOwners", all+`,"protectedFields":{"*":["secret"],"userField:owner":[]}`)
	s.expect("stored", ann, "/classes/Plain")
	s.expect("stored", bob, "/classes/Plain?limit=5")
	for path, shared := range map[string]bool{
		"/classes/Plain?limit=3":        true,
		"/classes/Plain?limit=3&skip=1": true,
		"/classes/Plain?include=owner":  false, // users see more of themselves
		"/classes/Members":              false,
		"/classes/Owners":               false,
		"/classes/Counted?order=n":      true,
		"/classes/Counted?count=1":      false,
		"/classes/Hidden?order=n":       true,
		"/classes/HiddenFromSome":       false,
		"/classes/HiddenButFromOwners":  false,
		"/users?keys=username":          false,
		where("Plain", `{"n":1}`):       true,
		where("Plain", `{"owner":{"$inQuery":{"className":"_User","where":{}}}}`): false,
	} {
		want := "stored"
		if shared {
			want = "hit"
		}
		s.expect("stored", ann, path)
		s.expect(want, bob, path)
		s.expect("hit", ann, path)
		s.expect("hit", bob, path)
	}
}

func where(class, text string) string {
	return "/classes/" + class + "?where=" + strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D", "$", "%24").Replace(text)
}

// Sessions of one user with the same roles share; whatever changes a user's rights counts before it is acknowledged.
func TestRightsAreResolvedOnce(t *testing.T) {
	s := newSharing(t)
	annID, ann := s.signUp(t, "ann")
	_, bob := s.signUp(t, "bob")
	again := func() asker {
		var in struct{ SessionToken string }
		s.must(t, byREST, "GET", "/login?username=ann&password=p", "", &in)
		return session("ann elsewhere", in.SessionToken)
	}
	ann2 := again()
	s.object(t, "A", `{"n":1}`)
	s.object(t, "A", fmt.Sprintf(`{"n":2,"ACL":{%q:{"read":true}}}`, annID))
	s.object(t, "A", `{"n":3,"ACL":{"role:boss":{"read":true}}}`)
	const q, p = "/classes/A?order=n", "/classes/A?order=-n"
	s.expect("stored", ann, q)
	s.expect("hit", ann, q)
	s.expect("stored", ann2, p) // her other session, which isn't known yet
	s.expect("hit", ann, p)     // and shares with the first
	s.expect("hit", ann2, q)
	s.expect("stored", bob, q)

	staff := s.role(t, "staff", annID)
	boss := s.role(t, "boss")
	s.expect("stored", ann, q)
	s.expect("stored", ann2, p)
	s.expect("hit", ann2, q)
	s.must(t, byMaster, "PUT", "/roles/"+boss, `{"roles":`+relation("AddRelation", "_Role", staff)+`}`, nil)
	s.expect("stored", ann, q) // now with the roles staff and boss
	s.expect("hit", ann, q)
	s.expect("stored", bob, p) // his session was forgotten with all others
	s.expect("hit", bob, q)    // but he has the rights he had

	s.must(t, byMaster, "PUT", "/roles/"+boss, `{"roles":`+relation("RemoveRelation", "_Role", staff)+`}`, nil)
	s.expect("stored", ann, "/classes/A?limit=9")
	s.expect("hit", ann, q) // from when she was staff alone

	s.must(t, ann2, "POST", "/logout", "{}", nil)
	s.expect("miss", ann2, q)
	s.expect("hit", ann, q)
	s.must(t, byMaster, "PUT", "/users/"+annID, `{"password":"q"}`, nil) // ends all sessions
	s.expect("miss", ann, q)
	s.must(t, byMaster, "DELETE", "/users/"+annID, "", nil)
	s.expect("miss", ann, q)
	if n := s.gateway.cache.Stats().Sessions; n > 2 {
		t.Errorf("%d sessions are remembered", n)
	}
}

// A client can't tell the gateway what only workers may, nor learn it; and a pool that isn't the gateway's own can't either.
func TestHintsOfOthers(t *testing.T) {
	t.Run("a client's", func(t *testing.T) {
		s := newSharing(t)
		annID, ann := s.signUp(t, "ann")
		s.object(t, "A", fmt.Sprintf(`{"ACL":{%q:{"read":true}}}`, annID))
		forger := ann.with("ann", "X-Parsescale-Rights", "0123456789abcdef _Session:x", "X-Parsescale-Reads", "for=everyone")
		s.expect("stored", forger, "/classes/A")
		s.expect("stored", byREST.with("nobody", "X-Parsescale-Rights", "0123456789abcdef _Session:x", "X-Parsescale-Reads", "for=everyone"), "/classes/A")
		s.expect("hit", ann, "/classes/A")
		for name := range s.ask(s.server, ann, "GET", "/parse/classes/A", "").Header() {
			if isInternal(name) {
				t.Errorf("%s reached the client", name)
			}
		}
	})
	t.Run("a remote worker's", func(t *testing.T) {
		for _, level := range []cache.Level{cache.TTL, cache.Lossy, cache.Fenced} {
			t.Run(level.String(), func(t *testing.T) {
				w := newRecordingWorker(t, hinting)
				s := newSite(t, remoteSite(w, "cache"))
				parseHandlers(s.server.Routes)[0].routes[0].level = level
				one, two := map[string]string{"X-Parse-Session-Token": "r:1"}, map[string]string{"X-Parse-Session-Token": "r:2"}
				s.run(t, w, []step{
					{method: "GET", path: "/parse/classes/A", header: one, cache: "stored", calls: 1},
					{method: "GET", path: "/parse/classes/A", header: two, cache: "stored", calls: 1},
					{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1},
					{method: "GET", path: "/parse/classes/A", header: one, cache: "hit"},
				})
			})
		}
	})
}

// hinting answers like results, and claims that the answer is everyone's and each session the same user's.
func hinting(w http.ResponseWriter, r *http.Request, body string) {
	results(&tampered{w, func(h http.Header) {
		h.Set("X-Parsescale-Reads", "for=everyone")
		h.Set("X-Parsescale-Rights", "0123456789abcdef _Session:x")
	}}, r, body)
}
