package matcher

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func adapt(caddyfile string) ([]byte, error) {
	b, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return b, err
}

// inMatcher puts settings into a block of a matcher that a route has.
func inMatcher(settings string) string {
	return ":9 {\n\t@x parse {\n" + settings + "\n\t}\n\trespond @x matched\n\trespond other\n}"
}

func TestCaddyfile(t *testing.T) {
	for _, test := range []struct{ name, caddyfile, want string }{
		{"nothing but the mount's default", ":9 {\n\t@x parse\n\trespond @x matched\n}", `{}`},
		{"one line", ":9 {\n\t@x parse operation read create\n\trespond @x matched\n}", `{"operations":["read","create"]}`},
		{"a line and a block", ":9 {\n\t@x parse app shop {\n\t\tonly\n\t}\n\trespond @x matched\n}", `{"apps":["shop"],"only":true}`},
		{"a mount", inMatcher("mount /1/"), `{"mount":"/1"}`},
		{"apps", inMatcher("app shop blog"), `{"apps":["shop","blog"]}`},
		{"operations", inMatcher("operation write function login"), `{"operations":["write","function","login"]}`},
		{"classes", inMatcher("class Game _User"), `{"classes":["Game","_User"]}`},
		{"functions", inMatcher("function report hello"), `{"functions":["report","hello"]}`},
		{"a master key", inMatcher("master_key presented"), `{"master_key":"presented"}`},
		{"no master key", inMatcher("master_key absent"), `{"master_key":"absent"}`},
		{"nothing else", inMatcher("operation read\nonly"), `{"operations":["read"],"only":true}`},
		{"all of it", inMatcher("mount /p\napp a\noperation write\nclass C\nmaster_key absent\nonly"), `{"mount":"/p","apps":["a"],"operations":["write"],"classes":["C"],"master_key":"absent","only":true}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := adapt(test.caddyfile)
			if err != nil {
				t.Fatal(err)
			}
			if want := `"match":[{"parse":` + test.want + `}]`; !strings.Contains(string(b), want) {
				t.Errorf("%s lacks %s", b, want)
			}
		})
	}
}

func TestCaddyfileErrors(t *testing.T) {
	for _, test := range []struct{ name, caddyfile, want string }{
		{"an unknown setting", inMatcher("op write"), `unknown setting "op" of the matcher parse; known are mount, app, operation, class, function, master_key and only`},
		{"an unknown setting in one line", ":9 {\n\t@x parse write\n\trespond @x matched\n}", `unknown setting "write"`},
		{"no mount", inMatcher("mount parse"), `mount takes a path such as /parse, not "parse"`},
		{"a mount with a wildcard inside", inMatcher("mount /*/parse"), `mount takes a path such as /parse`},
		{"a mount twice", inMatcher("mount /a\nmount /b"), "mount is given twice"},
		{"a mount without a path", inMatcher("mount"), "wrong argument count"},
		{"no app", inMatcher("app"), "wrong argument count"},
		{"apps twice", inMatcher("app a\napp b"), "app is given twice"},
		{"an app in the line and in the block", ":9 {\n\t@x parse app a {\n\t\tapp b\n\t}\n\trespond @x matched\n}", "app is given twice"},
		{"no operation", inMatcher("operation"), "wrong argument count"},
		{"an unknown operation", inMatcher("operation writes"), `"writes" is no operation; there are read, write, login`},
		{"a batch, which is what it holds", inMatcher("operation batch"), `"batch" is no operation`},
		{"operations twice", inMatcher("operation read\noperation write"), "operation is given twice"},
		{"no class", inMatcher("class"), "wrong argument count"},
		{"classes twice", inMatcher("class A\nclass B"), "class is given twice"},
		{"no function", inMatcher("function"), "wrong argument count"},
		{"functions twice", inMatcher("function a\nfunction b"), "function is given twice"},
		{"a master key itself", inMatcher("master_key abc"), `master_key is presented or absent, not "abc"`},
		{"no word about the master key", inMatcher("master_key"), "wrong argument count"},
		{"a master key twice", inMatcher("master_key absent\nmaster_key absent"), "master_key is given twice"},
		{"only with a value", inMatcher("only yes"), "wrong argument count"},
		{"only twice", inMatcher("only\nonly"), "only is given twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := adapt(test.caddyfile)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			if !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("the error doesn't tell file and line: %v", err)
			}
		})
	}
}

// server makes Caddy's own server from a Caddyfile.
func server(caddyfile string) (*caddyhttp.Server, error) {
	b, err := adapt("{\n\tadmin off\n}\n" + caddyfile)
	if err != nil {
		return nil, err
	}
	var config caddy.Config
	if err := json.Unmarshal(b, &config); err != nil {
		return nil, err
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		return nil, err
	}
	app, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	for _, s := range app.(*caddyhttp.App).Servers {
		return s, nil
	}
	return nil, fmt.Errorf("there is no server")
}

// asked is what a test asks.
type asked struct {
	method, path, body string
	header             map[string]string
}

func (q asked) String() string { return q.method + " " + q.path + " " + q.body }

func answer(s *caddyhttp.Server, q asked) string {
	r := httptest.NewRequest(q.method, q.path, strings.NewReader(q.body))
	if q.body == "" {
		r = httptest.NewRequest(q.method, q.path, http.NoBody)
	}
	if q.body != "" {
		r.Header.Set("Content-Type", "text/plain") // as the SDKs say
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Body.String()
}

func TestMatching(t *testing.T) {
	sdk := func(method, rest string) string {
		return `{"_method":"` + method + `","_ApplicationId":"shop"` + rest + `}`
	}
	batch := func(parts string) asked {
		return asked{method: "POST", path: "/parse/batch", body: `{"requests":[` + parts + `]}`}
	}
	const read, write = `{"method":"GET","path":"/parse/classes/Game"}`, `{"method":"POST","path":"/parse/classes/Score","body":{}}`
	as := func(q asked, name, value string) asked {
		q.header = map[string]string{name: value}
		return q
	}
	find := asked{method: "GET", path: "/parse/classes/Game"}
	create := asked{method: "POST", path: "/parse/classes/Game", body: `{"a":1}`}
	sdkFind := asked{method: "POST", path: "/parse/classes/Game", body: sdk("GET", "")}
	sdkUpdate := asked{method: "POST", path: "/parse/classes/Game/x", body: sdk("PUT", "")}
	untyped := as(sdkFind, "Content-Type", "") // parse-server doesn't read its body, so to it this is a create
	compressed := as(asked{method: "POST", path: "/parse/classes/Game", body: "\x1f\x8b"}, "Content-Encoding", "gzip")
	function := asked{method: "POST", path: "/parse/functions/report", body: `{}`}
	job := asked{method: "POST", path: "/parse/jobs/report", body: `{}`}
	login := asked{method: "POST", path: "/parse/login", body: `{"username":"u","password":"p"}`}
	odd := asked{method: "POST", path: "/parse//classes/Game", body: "{}"}
	odder := asked{method: "POST", path: "/x/..%2fparse/classes/Game", body: "{}"}
	elsewhere := asked{method: "POST", path: "/other", body: "{}"}
	long := asked{method: "POST", path: "/parse/batch", body: strings.Repeat(" ", maxBatch+1)}
	file := asked{method: "GET", path: "/parse/files/shop/a.txt"}
	config := asked{method: "GET", path: "/parse/config"}
	setConfig := asked{method: "PUT", path: "/parse/config", body: `{"params":{"a":1}}`}
	addSchema := asked{method: "POST", path: "/parse/schemas/Game", body: `{"className":"Game"}`}
	options := asked{method: "OPTIONS", path: "/parse/classes/Game"}
	forShop := func(q asked) asked { return as(q, "X-Parse-Application-Id", "shop") }
	forBlog := func(q asked) asked { return as(q, "X-Parse-Application-Id", "blog") }
	// A worker that doesn't know the app of the header goes by the body.
	hidden := forBlog(asked{method: "POST", path: "/parse/classes/Game", body: `{"_ApplicationId":"shop","_MasterKey":"x"}`})
	large := asked{method: "POST", path: "/parse/classes/Game", body: `{"a":"` + strings.Repeat("x", 2<<20) + `"}`}
	hiddenLarge := forBlog(asked{method: "POST", path: "/parse/classes/Game", body: large.body[:len(large.body)-1] + `,"_ApplicationId":"shop","_MasterKey":"x"}`})
	upload := asked{method: "POST", path: "/parse/files/a.png", body: "\x89PNG" + strings.Repeat("x", 1000)}
	sdkUpload := asked{method: "POST", path: "/parse/files/a.png", body: `{"base64":"` + strings.Repeat("x", 2<<20) + `","_ApplicationId":"shop","_MasterKey":"x"}`}
	basic := forBlog(find)
	basic.header["Authorization"] = "Basic c2hvcDp4" // shop:x

	for _, test := range []struct {
		settings  string
		yes, noes []asked
	}{
		{"", []asked{find, create, odd, odder, options, file, compressed}, []asked{elsewhere}},
		{"mount /1", []asked{{method: "GET", path: "/1/classes/A"}}, []asked{find}},
		{"operation write", []asked{create, untyped, sdkUpdate, batch(write), batch(read + "," + write), compressed, odd, odder, long, batch("1")},
			[]asked{find, sdkFind, function, login, batch(read), options, elsewhere}},
		{"operation write\nonly", []asked{create, sdkUpdate, batch(write), setConfig, addSchema}, []asked{batch(read + "," + write), compressed, odder, long, batch("1")}},
		{"operation read\nonly", []asked{find, sdkFind, batch(read), config}, []asked{untyped, setConfig, addSchema, batch(`{"method":"PUT","path":"/parse/config","body":{}}`), create, sdkUpdate, batch(read + "," + write), compressed, odd, long}},
		{"operation read", []asked{find, sdkFind, batch(read + "," + write), compressed}, []asked{create, sdkUpdate, batch(write)}},
		{"operation config", []asked{config, setConfig}, []asked{find, addSchema}},
		{"operation create login", []asked{create, login}, []asked{find, sdkUpdate}},
		{"class Game", []asked{find, create, sdkFind, batch(read + "," + write)}, []asked{batch(write), function}},
		{"class Score\noperation write", []asked{batch(read + "," + write)}, []asked{create, batch(read)}},
		{"class Game\noperation write", []asked{create}, []asked{batch(read + "," + write), find}}, // one part has to be both
		{"function report", []asked{function, job}, []asked{find, {method: "POST", path: "/parse/functions/other", body: "{}"}}},
		{"app shop", []asked{sdkFind, forShop(find), file, hidden, hiddenLarge, basic, sdkUpload, forBlog(sdkUpload), forShop(upload), forBlog(compressed), odder, long},
			[]asked{find, forBlog(find), options, forBlog(large), forBlog(upload)}},
		{"app shop\nonly", []asked{sdkFind, forShop(find), file, forShop(large), forShop(upload), sdkUpload}, []asked{find, forBlog(find), hidden, hiddenLarge, basic, forBlog(sdkUpload), forShop(compressed), odder, long}},
		{"master_key presented", []asked{as(find, "X-Parse-Master-Key", "x"), {method: "POST", path: "/parse/classes/Game", body: sdk("GET", `,"_MasterKey":"x"`)}, compressed, hidden, hiddenLarge, sdkUpload, basic}, []asked{find, sdkFind, large, forShop(upload)}},
		{"master_key presented\nonly", []asked{as(find, "X-Parse-Master-Key", "x")}, []asked{find, compressed}},
		{"master_key absent", []asked{find, sdkFind, compressed}, []asked{as(find, "X-Parse-Master-Key", "x"), as(find, "Authorization", "Basic eA==")}},
		{"master_key absent\nonly", []asked{find, sdkFind}, []asked{as(find, "X-Parse-Master-Key", "x"), compressed}},
	} {
		s, err := server(inMatcher(test.settings))
		if err != nil {
			t.Fatalf("%s: %v", test.settings, err)
		}
		for want, all := range map[string][]asked{"matched": test.yes, "other": test.noes} {
			for _, q := range all {
				if got := answer(s, q); got != want {
					t.Errorf("%q: %.100s: %s, want %s", test.settings, q, got, want)
				}
			}
		}
	}
}

// TestBodyReachesTheHandler: what the matchers read, the handler reads again.
func TestBodyReachesTheHandler(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}))
	defer upstream.Close()
	s, err := server(":9 {\n\t@a parse operation function\n\trespond @a function\n\t@b parse class Score\n\trespond @b score\n\treverse_proxy " + strings.TrimPrefix(upstream.URL, "http://") + "\n}")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"a":1}`, `{"a":"` + strings.Repeat("x", 3<<20) + `"}`} {
		got := answer(s, asked{method: "POST", path: "/parse/classes/Game", body: body, header: map[string]string{}})
		if len(body) < 1<<20 && got != body {
			t.Errorf("the handler got %.50q, want %.50q", got, body)
		}
		if len(body) > 1<<20 && got != "function" { // it may be anything
			t.Errorf("got %.50q", got)
		}
	}
}

// TestExpression uses the matcher as a function of expressions.
func TestExpression(t *testing.T) {
	site := func(expression string) string {
		return ":9 {\n\t@x expression `" + expression + "`\n\trespond @x matched\n\trespond other\n}"
	}
	s, err := server(site(`parse({'operation': 'write', 'class': ['Game', 'Score']}) && method('POST')`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/parse/classes/Game": "matched", "/parse/classes/Other": "other"} {
		if got := answer(s, asked{method: "POST", path: path, body: `{"a":1}`}); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if s, err = server(site(`parse({'operation': 'read', 'only': 'true'})`)); err != nil {
		t.Fatal(err)
	} else if got := answer(s, asked{method: "GET", path: "/parse/classes/Game"}); got != "matched" {
		t.Errorf("got %s", got)
	}
	for expression, want := range map[string]string{
		`parse({'operation': 'writes'})`:   `"writes" is no operation`,
		`parse({'op': 'write'})`:           `unknown setting "op"`,
		`parse({'master_key': 'present'})`: `master_key is presented or absent`,
		`parse({'only': 'false'})`:         `wrong argument count`,
	} {
		if _, err := server(site(expression)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", expression, err, want)
		}
	}
}

func TestProvisionErrors(t *testing.T) {
	for want, m := range map[string]Match{
		"mount must be a path":              {Mount: "parse"},
		`"reads" is no operation`:           {Operations: []string{"reads"}},
		"master_key is presented or absent": {MasterKey: "x"},
	} {
		if err := m.ready(caddy.Context{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// TestInsideReverseProxy: a matcher that says what may be sent again must not take what it can't read for a read.
func TestInsideReverseProxy(t *testing.T) {
	site := func(settings string) string {
		return ":9 {\n\treverse_proxy 127.0.0.1:1 {\n\t\tlb_retries 2\n\t\tlb_retry_match {\n\t\t\tparse operation read {\n" + settings + "\n\t\t\t}\n\t\t}\n\t}\n}"
	}
	if _, err := server(site("")); err == nil || !strings.Contains(err.Error(), "needs its setting only") {
		t.Errorf("got %v", err)
	}
	if _, err := server(site("only")); err != nil {
		t.Error(err)
	}
}
