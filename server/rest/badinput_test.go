package rest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// nested is opening × n, middle, closing × n.
func nested(opening, middle, closing string, n int) string {
	return strings.Repeat(opening, n) + middle + strings.Repeat(closing, n)
}

func TestBadInput(t *testing.T) {
	w := start(t, server.Environment{}, func(o *config.Options) { o.MaxUploadSize = 1 << 20 })
	if res := w.do("POST", "/classes/T", `{"s":"x","n":1,"a":[1],"o":{"k":1},"d":{"__type":"Date","iso":"2020-01-02T03:04:05.678Z"}}`, app()); res.status != 201 {
		t.Fatal(res.body)
	}
	where := func(s string) string { return "/classes/T?where=" + url.QueryEscape(s) }
	var all []Scenario
	bad := func(name, method, path, body string, status int, subset string) {
		all = append(all, Scenario{Name: name, Method: method, Path: path, Headers: app(), Body: body, Status: status, Subset: subset})
	}
	// Bodies.
	bad("body over the limit", "POST", "/classes/T", `{"s":"`+strings.Repeat("x", 1<<20)+`"}`, 413, `{"error":"request entity too large"}`)
	bad("truncated JSON", "POST", "/classes/T", `{"s":`, 400, `{"error":"Unexpected end of JSON input"}`)
	bad("JSON that isn't an object", "POST", "/classes/T", `"x"`, 400, "")
	bad("null", "POST", "/classes/T", `null`, 400, "")
	bad("array", "POST", "/classes/T", `[1]`, 400, `{"code":105}`)
	bad("control characters", "POST", "/classes/T", "{\"s\":\"\x00\"}", 400, "")
	bad("deep value", "POST", "/classes/T", `{"o":`+nested(`{"k":`, "1", "}", 5000)+`}`, 400, "")
	bad("deeper value", "POST", "/classes/T", `{"o":`+nested(`[`, "1", "]", 100000)+`}`, 400, "")
	bad("deep array without an end", "POST", "/classes/T", strings.Repeat("[", 500000), 400, "")
	bad("huge number", "POST", "/classes/T", `{"n":1e999}`, 400, "")
	bad("unknown type", "POST", "/classes/T", `{"x":{"__type":"Foo"}}`, 400, `{"code":111}`)
	bad("unknown operation", "POST", "/classes/T", `{"x":{"__op":"Foo"}}`, 400, "")
	bad("operation of a wrong type", "POST", "/classes/T", `{"x":{"__op":{"a":1}}}`, 400, "")
	bad("operation without its operand", "POST", "/classes/T", `{"x":{"__op":"SetOnInsert","amount":1}}`, 400, "")
	bad("relation to nothing", "POST", "/classes/T", `{"rel":{"__op":"AddRelation","objects":[]}}`, 400, "")
	bad("relation as a value", "POST", "/classes/T", `{"rel2":{"__type":"Relation","className":5}}`, 400, "")
	bad("date that is none", "POST", "/classes/T", `{"d":{"__type":"Date","iso":"garbage"}}`, 400, "")
	bad("pointer to nothing", "POST", "/classes/T", `{"p9":{"__type":"Pointer"}}`, 400, "")
	bad("wrong type", "POST", "/classes/T", `{"n":"x"}`, 400, `{"code":111}`)
	bad("bad field name", "POST", "/classes/T", `{"1a":1}`, 400, `{"code":105,"error":"Invalid field name: 1a."}`)
	bad("field name with a quote", "POST", "/classes/T", `{"a\"b'":1}`, 400, `{"code":105}`)
	bad("dollar in a nested key", "POST", "/classes/T", `{"o":{"$a":1}}`, 400, `{"code":121}`)
	bad("prototype", "POST", "/classes/T", `{"o":{"__proto__":{"x":1}}}`, 400, `{"code":105}`)
	bad("forbidden key beside another", "POST", "/classes/T", `{"a":[{"x":1}],"b":{"y":{"constructor":1}}}`, 400, `{"code":105}`)
	bad("long field name", "POST", "/classes/T", `{"`+strings.Repeat("a", 5000)+`":1}`, 400, "")
	bad("thousands of fields", "POST", "/classes/Wide", manyFields(5000), 400, "")
	bad("update of nothing", "PUT", "/classes/T/zzzzzzzzzz", `{"s":"y"}`, 404, `{"code":101}`)
	bad("long object id", "GET", "/classes/T/"+strings.Repeat("x", 5000), "", 404, `{"code":101}`)
	bad("object id with a NUL", "GET", "/classes/T/a%00b", "", 404, `{"code":101}`)
	// Class names.
	for _, class := range []string{"1bad", "a-b", "a%20b", "a%22b", "a'b", "a%3Bb", "%00", "_Nope", "a%0Ab", "%F0%9F%98%80", "sqlite_master", "a.b", strings.Repeat("x", 5000)} {
		if class != "sqlite_master" {
			bad("create in class "+class[:min(len(class), 20)], "POST", "/classes/"+class, `{"a":1}`, 400, "")
		}
		all = append(all, Scenario{Name: "find in class " + class[:min(len(class), 20)], Method: "GET", Path: "/classes/" + class, Headers: app(), Status: -1})
	}
	bad("join class", "POST", "/classes/_Join:users:_Role", `{"a":1}`, 400, `{"code":119}`)
	bad("hidden class", "GET", "/classes/_GlobalConfig", "", 400, `{"code":119}`)
	// Queries.
	bad("where that isn't JSON", "GET", "/classes/T?where=notjson", "", 400, `{"code":107,"error":"where parameter is not valid JSON"}`)
	for _, s := range []string{`[]`, `5`, `"x"`, `true`} {
		bad("where "+s, "GET", where(s), "", 400, "")
		bad("where "+s+" in a body", "POST", "/classes/T", `{"_method":"GET","where":`+s+`}`, 400, "")
	}
	for _, s := range []string{
		`{"n":{"$foo":1}}`, `{"$foo":1}`, `{"$or":{"n":1}}`, `{"$nor":[]}`, `{"$or":[1]}`, `{"$and":[null]}`, `{"$or":{"0":{},"length":1}}`,
		`{"n":{"$in":5}}`, `{"s":{"$regex":5}}`, `{"s":{"$regex":"a","$options":"g"}}`, `{"s":{"$regex":"["}}`, `{"ACL":{}}`,
		`{"_hashed_password":"x"}`, `{"$or":[{"_perishable_token":{"$regex":"^a"}}]}`, `{"a b":1}`, `{"p":{"$inQuery":{"className":"T"}}}`,
		`{"p":{"$inQuery":5}}`, `{"s":{"$select":{"query":{},"key":1}}}`, `{"a":{"$all":5}}`, `{"n":{"$lt":{"$relativeTime":"now"}}}`,
		`{"o.k'||(select 1)--":1}`, `{"$relatedTo":5}`, `{"$relatedTo":{"object":{},"key":5}}`, `{"` + strings.Repeat("a", 3000) + `'":1}`,
		nested(`{"$and":[`, `{"n":1}`, `]}`, 5000), nested(`{"$nor":[`, `{"n":1}`, `]}`, 50),
		`{"p":` + nested(`{"$inQuery":{"className":"T","where":{"p":`, `1`, `}}}`, 50) + `}`,
	} {
		bad("where "+s[:min(len(s), 60)], "POST", "/classes/T", `{"_method":"GET","where":`+s+`}`, 400, "")
	}
	for _, query := range []string{
		"foo=1", "limit=-1", "limit=abc", "skip=-1", "skip[x]=1", "order=a b", "order=data.x'%20ASC;%20--", "order=" + strings.Repeat("a,", 5000),
		"include=" + strings.Repeat("a.", 3000) + "a", "explain=true", "where[", "keys=" + strings.Repeat("k,", 10), "where[n][$gt]=1",
		"redirectClassNameForKey=nope", "limit[]=1&limit[]=2", "count[a]=1", "where=%7B%7D&where=%7B%7D",
		"limit=99999999999999999999", "skip=99999999999999999999", "limit=1e400", "readPreference=FOO", "hint[a]=1",
	} {
		all = append(all, Scenario{Name: "query " + query[:min(len(query), 40)], Method: "GET", Path: "/classes/T?" + strings.ReplaceAll(query, " ", "%20"), Headers: app(), Status: -1})
	}
	// Type mismatches match nothing.
	for _, s := range []string{`{"n":"x"}`, `{"a":1}`, `{"s":5}`, `{"d":"x"}`, `{"nosuch":null}`, `{"o":5}`, `{"n":{"$gt":"x"}}`, `{"s":{"$in":[]}}`, `{"n":{"$regex":"x"}}`, `{"$or":[]}`} {
		all = append(all, Scenario{Name: "mismatch " + s, Method: "GET", Path: where(s), Headers: app(), Status: -1})
	}
	// Users.
	bad("sign-up with a name of a wrong type", "POST", "/users", `{"username":{"$ne":1},"password":"x"}`, 400, `{"code":200}`)
	bad("sign-up with a password of a wrong type", "POST", "/users", `{"username":"b","password":5}`, 400, `{"code":201}`)
	bad("sign-up with an operator as an id", "POST", "/users", `{"authData":{"anonymous":{"id":{"$ne":null}}}}`, 400, "")
	bad("sign-up with authData of a wrong type", "POST", "/users", `{"authData":5}`, 400, "")
	bad("log-in with a body of a wrong type", "POST", "/login", `[1]`, 400, `{"code":200}`)
	bad("log-in with a very long password", "POST", "/login", `{"username":"a","password":"`+strings.Repeat("x", 500000)+`"}`, 404, `{"code":101}`)
	bad("loginAs with an object", "POST", "/loginAs", `{"userId":{"$ne":1}}`, 400, `{"code":119}`)
	all = append(all,
		Scenario{Name: "loginAs of an object by the master key", Method: "POST", Path: "/loginAs", Body: `{"userId":{"$ne":1}}`, Headers: master(), Status: -1},
		Scenario{Name: "session token of a wrong form", Method: "GET", Path: "/classes/T", Headers: app("X-Parse-Session-Token", strings.Repeat("r", 3000)), Status: 400, Subset: `{"code":209}`},
		Scenario{Name: "method of a wrong type", Method: "POST", Path: "/classes/Other", Body: `{"_method":{"a":1},"x":1}`, Headers: app(), Status: 201},
	)
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			in := *w
			in.t = t
			start := time.Now()
			res := in.do(s.Method, s.Path, s.Body, s.Headers)
			if d := time.Since(start); d > 30*time.Second {
				t.Errorf("took %v", d)
			}
			if res.status >= 500 {
				t.Fatalf("status %d: %s", res.status, res.body)
			}
			if s.Status >= 0 {
				s.check(t, res)
			}
			if res.status >= 400 && strings.HasPrefix(res.header.Get("Content-Type"), "application/json") {
				var e struct{ Error string }
				if err := json.Unmarshal([]byte(res.body), &e); err != nil || e.Error == "" {
					t.Errorf("body %s tells nothing", res.body)
				}
				if len(res.body) > 20_000 {
					t.Errorf("the error has %d bytes", len(res.body))
				}
			}
		})
	}
	w.run([]Scenario{
		{Name: "nothing was half written", Method: "GET", Path: "/classes/T?count=1&limit=0", Headers: app(), Status: 200, Exact: `{"results":[],"count":1}`},
		{Name: "a refused update makes no class", Method: "PUT", Path: "/classes/Unmade/zzzzzzzzzz", Body: `{"s":"y"}`, Headers: app(), Status: 404},
		{Name: "the class isn't there", Method: "GET", Path: "/schemas/Unmade", Headers: master(), Status: 400, Subset: `{"code":103}`},
		{Name: "still alive", Method: "GET", Path: "/health", Status: 200, Exact: `{"status":"ok"}`},
	})
}

func manyFields(n int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"f%d":%d`, i, i)
	}
	b.WriteByte('}')
	return b.String()
}

// TestRawBytes sends what no HTTP client would.
func TestRawBytes(t *testing.T) {
	w := start(t, server.Environment{}, nil)
	for name, text := range map[string]string{
		"bad escape in the path": "GET /parse/classes/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"backslashes":            "GET /parse\\classes\\A HTTP/1.1\r\nHost: x\r\n\r\n",
		"asterisk":               "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"absolute form":          "GET http://x/parse/health HTTP/1.1\r\nHost: x\r\n\r\n",
		"no path":                "GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
		"short body":             "POST /parse/classes/A HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\nConnection: close\r\n\r\n{",
		"bad chunk":              "POST /parse/classes/A HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"CONNECT":                "CONNECT /parse HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(w.base, "http://"), "/parse"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if name == "short body" {
				_ = c.(*net.TCPConn).CloseWrite() //nolint:errcheck,forcetypeassert // it is one
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			if strings.Contains(line, " 50") {
				t.Errorf("answer %q", line)
			}
		})
	}
	if res := w.do("GET", "/health", "", nil); res.status != 200 {
		t.Errorf("status %d afterwards", res.status)
	}
}
