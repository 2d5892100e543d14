package caddymodule

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkSharing reports the hit rate of 50 users, each in one of 5 roles, and the public, who ask 200 questions (Zipf
// 0.99) while one request in 20 writes, when answers are shared in different ways.
func BenchmarkSharing(b *testing.B) {
	for _, tt := range []struct {
		name   string
		answer func(http.Header)
	}{
		{"each session its own", func(h http.Header) {
			h.Set("X-Parsescale-Reads", strings.ReplaceAll(h.Get("X-Parsescale-Reads"), "for=everyone", ""))
			if name, on, ok := strings.Cut(h.Get("X-Parsescale-Rights"), " "); ok {
				for item := range strings.FieldsSeq(on) {
					if strings.HasPrefix(item, "_Session:") {
						name = "0123456789abcdef" + item[len("_Session:"):]
					}
				}
				h.Set("X-Parsescale-Rights", name+" "+on)
			}
		}},
		{"equal rights", func(h http.Header) {
			h.Set("X-Parsescale-Reads", strings.ReplaceAll(h.Get("X-Parsescale-Reads"), "for=everyone", ""))
		}},
		{"everyone", nil},
	} {
		for _, private := range []int{0, 1, 10} {
			b.Run(fmt.Sprintf("%s/private=%d%%", tt.name, private), func(b *testing.B) {
				hits, reads := sharedMix(b, tampering{answer: tt.answer}, private, max(b.N, 10_000))
				b.ReportMetric(100*float64(hits)/float64(reads), "%hits")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkScopedHit compares hits without a session, with one whose answer is everyone's, and with one that has its own.
func BenchmarkScopedHit(b *testing.B) {
	s := newOwnSite(b, tampering{}, nil)
	annID, ann := s.signUp(b, "ann")
	s.object(b, "Open", `{"n":1}`)
	s.object(b, "Private", fmt.Sprintf(`{"n":1,"ACL":{%q:{"read":true}}}`, annID))
	for _, tt := range []struct {
		name, path string
		who        asker
	}{{"no session", "/classes/Open", byREST}, {"everyone's", "/classes/Open", ann}, {"one's own", "/classes/Private", ann}} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			s.ask(s.server, tt.who, "GET", "/parse"+tt.path, "")
			for b.Loop() {
				if v := verdict(s.ask(s.server, tt.who, "GET", "/parse"+tt.path, "")); v != "hit" {
					b.Fatal(v)
				}
			}
		})
	}
}

func sharedMix(b *testing.B, tamper tampering, private, requests int) (hits, reads int) {
	const users, roles, objects, questions = 50, 5, 1000, 200
	s := newOwnSite(b, tamper, nil)
	r := rand.New(rand.NewPCG(1, 2))
	members := make([][]string, roles)
	askers := []asker{byREST}
	for i := range users {
		id, who := s.signUp(b, fmt.Sprintf("u%d", i))
		again := session("again", "")
		var in struct{ SessionToken string }
		s.must(b, byREST, "GET", fmt.Sprintf("/login?username=u%d&password=p", i), "", &in)
		again.header["X-Parse-Session-Token"] = in.SessionToken
		askers = append(askers, who, again)
		members[i%roles] = append(members[i%roles], id)
	}
	for i, m := range members {
		s.role(b, fmt.Sprintf("r%d", i), m...)
	}
	ids := make([]string, objects)
	for i := range ids {
		acl := ""
		if i%100 < private {
			acl = fmt.Sprintf(`,"ACL":{"role:r%d":{"read":true}}`, i%roles)
		}
		ids[i] = s.object(b, "Mix", fmt.Sprintf(`{"n":%d,"group":%d%s}`, i, i%questions, acl))
	}
	zipf := rand.NewZipf(r, 1.01, 1, questions-1)
	for range requests {
		if r.IntN(20) == 0 {
			s.must(b, byMaster, "PUT", "/classes/Mix/"+ids[r.IntN(objects)], fmt.Sprintf(`{"n":%d}`, r.IntN(objects)), nil)
			continue
		}
		reads++
		rec := s.ask(s.server, askers[r.IntN(len(askers))], "GET", "/parse"+where("Mix", fmt.Sprintf(`{"group":%d}`, zipf.Uint64())), "")
		if rec.Code != http.StatusOK {
			b.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if verdict(rec) == "hit" {
			hits++
		}
	}
	return hits, reads
}
