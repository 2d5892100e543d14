package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     counts
		shows    []string
		hides    string
	}{
		{
			name: "a test that passes keeps quiet",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.25}
`,
			want: counts{passed: 1}, shows: []string{"ok       1.2s  p", "1 passed, 0 failed, 0 skipped"}, hides: "chatter",
		},
		{
			name: "a test that takes long is named, its subtests aren't",
			in: `{"Action":"pass","Package":"p","Test":"TestA/b","Elapsed":20}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":20.25}
{"Action":"pass","Package":"p","Test":"TestB","Elapsed":7}
`,
			want: counts{passed: 3}, shows: []string{"20.2s  TestA\n"}, hides: "TestB",
		},
		{
			name: "a test that fails is shown whole",
			in: `{"Action":"output","Package":"p","Test":"TestA/b","Output":"why\n"}
{"Action":"fail","Package":"p","Test":"TestA/b"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"fail","Package":"p","Elapsed":0.5}
`,
			want: counts{failed: 3}, shows: []string{"why", "FAIL     0.5s  p"},
		},
		{
			name: "a test that is left out is named with its reason",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: left out: needs a server\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"without tests"}
`,
			want: counts{skipped: 1}, shows: []string{"SKIP  p TestA", "left out: needs a server"}, hides: "=== RUN",
		},
		{
			name: "a package that doesn't build fails",
			in: `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","Elapsed":0,"FailedBuild":"p"}
`,
			want: counts{failed: 1}, shows: []string{"syntax error"},
		},
		{name: "the go command's own words", in: "go: cannot find main module\n", shows: []string{"cannot find main module"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			got, err := report(strings.NewReader(c.in), &out)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			for _, part := range c.shows {
				if !strings.Contains(out.String(), part) {
					t.Errorf("%q isn't in:\n%s", part, out.String())
				}
			}
			if c.hides != "" && strings.Contains(out.String(), c.hides) {
				t.Errorf("%q is in:\n%s", c.hides, out.String())
			}
		})
	}
}
