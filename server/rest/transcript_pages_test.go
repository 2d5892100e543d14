package rest_test

import (
	"regexp"
	"strings"
	"testing"
)

// pageHeader finds the header fields in the record of a page's answer: "title=`…` body=`…` name: value name: value". Titles,
// and the bodies of pages, are parse-server's own and not compared.
var pageHeader = regexp.MustCompile(`(x-parse-page-param-[a-z]+|Location|Content-Type): `)

// playPage plays a row about a page. <rtok> is the token of the last link to reset a password.
func (p *replay) playPage(t *testing.T, r recorded, headers map[string]string) {
	w := *p.world
	w.t = t
	if _, known := p.names["<rtok>"]; !known {
		_, token, _ := strings.Cut(p.box.link(t, "ann@x.io", p.base), "token=")
		p.names["<rtok>"] = token
	}
	fill := strings.NewReplacer("<rtok>", p.names["<rtok>"], "<base>", strings.TrimSuffix(p.base, "/parse")).Replace
	if r.Method == "POST" {
		headers["Content-Type"] = "application/x-www-form-urlencoded"
	}
	res := w.do(r.Method, fill(r.Path), fill(r.Body), headers)
	if res.status != r.Status {
		t.Fatalf("%s %s: status %d, want %d; body %s", r.Method, r.Path, res.status, r.Status, res.body)
	}
	// The record has the address of the server it is of; what follows it is cut off.
	comparable := func(s string) string { s, _, _ = strings.Cut(s, "publicServerUrl=http%3A"); return s }
	if _, body, ok := strings.Cut(r.Want, "body=`"); ok {
		body, _, _ = strings.Cut(body, "`")
		if got := comparable(res.body); got != comparable(fill(body)) {
			t.Errorf("body %s, want %s", got, body)
		}
	}
	at := pageHeader.FindAllStringSubmatchIndex(r.Want, -1)
	for i, m := range at {
		end := len(r.Want)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name, want := r.Want[m[2]:m[3]], strings.TrimSpace(fill(r.Want[m[1]:end]))
		if got := res.header.Get(name); comparable(got) != comparable(want) {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
	for name := range res.header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-parse-page-param-") && !strings.Contains(r.Want, lower) {
			t.Errorf("header %s isn't in the record", name)
		}
	}
}
