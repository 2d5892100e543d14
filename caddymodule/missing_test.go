package caddymodule

import (
	"io"
	"net/http"
	"testing"
)

// TestMissingObjectsAtTTL keeps a worker's answer that an object isn't there, until its class is written to.
func TestMissingObjectsAtTTL(t *testing.T) {
	const missing = `{"code":101,"error":"Object not found."}`
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if r.Method != http.MethodGet {
			results(w, r, body)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Etag", `W/"1"`)
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, missing)
	})
	s := newSite(t, remoteSite(w, "cache"))
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A/x", status: 404, want: missing, cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/A/x", status: 404, want: missing, cache: "hit"},
		// A condition is for answers that would be given otherwise (RFC 9110, section 13.2.1).
		{method: "GET", path: "/parse/classes/A/x", header: map[string]string{"If-None-Match": `W/"1"`}, status: 404, want: missing, cache: "hit"},
		{method: "GET", path: "/parse/classes/A/y", status: 404, cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/A/x", header: map[string]string{"X-Parse-Session-Token": "r:1"}, status: 404, cache: "fwd=miss; stored", calls: 1},
		{method: "POST", path: "/parse/classes/B", body: "{}", status: 201, calls: 1},
		{method: "GET", path: "/parse/classes/A/x", status: 404, cache: "hit"},
		{method: "POST", path: "/parse/classes/A", body: "{}", status: 201, calls: 1},
		{method: "GET", path: "/parse/classes/A/x", status: 404, cache: "fwd=miss; stored", calls: 1},
	})
}

// TestMissingObjects asks a real worker, at the level exact, for an object that isn't there or is hidden, until it can be
// read: whatever makes it readable drops what was kept.
func TestMissingObjects(t *testing.T) {
	s := newOwnSite(t, tampering{}, nil)
	adaID, ada := s.signUp(t, "ada")
	bobID, bob := s.signUp(t, "bob")
	staff := s.role(t, "staff", bobID)
	s.must(t, byMaster, "POST", "/schemas/Game", `{"className":"Game","fields":{"n":{"type":"Number"},"owner":{"type":"Pointer","targetClass":"_User"}}}`, nil)
	private := `{"objectId":"x","ACL":{}}`
	put := func(path, body string) func() { return func() { s.must(t, byMaster, "PUT", path, body, nil) } }
	for _, tt := range []struct {
		name   string
		before string // the object; "" for none
		then   func()
		reads  []asker // who can read it then; the others are still told that it isn't there
		kept   []asker // whose answer was kept
	}{
		{"it is made", "", func() { s.object(t, "Game", `{"objectId":"x"}`) }, []asker{byREST, ada, bob}, nil},
		{"it is made for one user", "", func() { s.object(t, "Game", `{"objectId":"x","ACL":{"`+adaID+`":{"read":true}}}`) }, []asker{ada}, nil},
		{"another object is made", "", func() { s.object(t, "Game", `{"objectId":"y"}`) }, nil, []asker{byREST, ada, bob}},
		{"another object is changed", private, func() {
			s.object(t, "Game", `{"objectId":"y"}`)
			s.must(t, byMaster, "PUT", "/classes/Game/y", `{"n":1}`, nil)
		}, nil, []asker{byREST, ada, bob}},
		{"its ACL lets everybody", private, put("/classes/Game/x", `{"ACL":{"*":{"read":true}}}`), []asker{byREST, ada, bob}, nil},
		{"its ACL lets one user", private, put("/classes/Game/x", `{"ACL":{"`+adaID+`":{"read":true}}}`), []asker{ada}, nil},
		{"its ACL lets a role", private, put("/classes/Game/x", `{"ACL":{"role:staff":{"read":true}}}`), []asker{bob}, nil},
		{"a user gets the role that may", `{"objectId":"x","ACL":{"role:staff":{"read":true}}}`,
			put("/roles/"+staff, `{"users":`+relation("AddRelation", "_User", adaID)+`}`), []asker{ada, bob}, []asker{byREST}},
		{"a permission that went by a pointer", `{"objectId":"x","owner":{"__type":"Pointer","className":"_User","objectId":"` + bobID + `"}}`, func() {
			put("/classes/Game/x", `{"owner":{"__type":"Pointer","className":"_User","objectId":"`+adaID+`"}}`)()
		}, []asker{ada}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Cleanup(func() {
				put("/roles/"+staff, `{"users":`+relation("RemoveRelation", "_User", adaID)+`}`)()
				put("/schemas/Game", `{"classLevelPermissions":{"find":{"*":true},"get":{"*":true},"create":{"*":true},"update":{"*":true},"delete":{"*":true}}}`)()
				for _, id := range []string{"x", "y"} {
					s.ask(s.server, byMaster, "DELETE", "/parse/classes/Game/"+id, "")
				}
			})
			if tt.name == "a permission that went by a pointer" {
				put("/schemas/Game", `{"classLevelPermissions":{"get":{"pointerFields":["owner"]}}}`)()
			}
			if tt.before != "" {
				s.object(t, "Game", tt.before)
			}
			all := []asker{byREST, ada, bob}
			for range 2 {
				for _, who := range all {
					s.ask(s.server, who, "GET", "/parse/classes/Game/x", "")
				}
			}
			readable := map[string]bool{}
			for _, who := range all {
				rec := s.ask(s.server, who, "GET", "/parse/classes/Game/x", "")
				if verdict(rec) != "hit" {
					t.Fatalf("%s is answered by a %s before: %d %s", who.name, verdict(rec), rec.Code, rec.Body)
				}
			}
			tt.then()
			for _, who := range tt.reads {
				readable[who.name] = true
			}
			kept := map[string]bool{}
			for _, who := range tt.kept {
				kept[who.name] = true
			}
			for _, who := range all {
				rec, now := s.ask(s.server, who, "GET", "/parse/classes/Game/x", ""), s.ask(s.worker, who, "GET", "/parse/classes/Game/x", "")
				if rec.Code != now.Code || rec.Body.String() != now.Body.String() || (rec.Code == 200) != readable[who.name] {
					t.Errorf("%s: %s: %d %s, a worker says %d %s", who.name, verdict(rec), rec.Code, rec.Body, now.Code, now.Body)
				}
				if kept[who.name] && verdict(rec) != "hit" {
					t.Errorf("%s: a %s, want what was kept", who.name, verdict(rec))
				}
			}
		})
	}
}
