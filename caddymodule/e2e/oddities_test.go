package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestOddRequests sends what two readers may understand differently, and checks that the cache gives exactly what a
// worker would, and that whatever writes was taken for a write.
func TestOddRequests(t *testing.T) {
	g := startGateway(t, bundledApp("", ""))
	c := newClient(t, g.url())
	master := c.with("X-Parse-Master-Key", masterKey)
	id := c.create(t, "Odd", `{"n":1,"s":"x"}`)
	other := c.create(t, "Odd", `{"n":2,"s":"y"}`)
	c.create(t, "odd", `{"n":3}`)

	keys := "X-Parse-Application-Id: " + appID + "\r\nX-Parse-REST-API-Key: " + restKey + "\r\n"
	line := func(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + keys + "\r\n" }
	post := func(header, body string) string {
		return fmt.Sprintf("POST /parse/classes/Odd HTTP/1.1\r\nHost: x\r\n%s%sContent-Length: %d\r\n\r\n%s", keys, header, len(body), body)
	}
	json := "Content-Type: application/json\r\n"
	chunked := func(method, target, header, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\n%s%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", method, target, keys, header, len(body), body)
	}
	find := "/parse/classes/Odd?where=" + url.QueryEscape(`{"n":1}`)

	tests := []struct{ name, raw string }{
		{"a find", line(find)},
		{"a get", line("/parse/classes/Odd/" + id)},
		{"HTTP/1.0", "GET " + find + " HTTP/1.0\r\nHost: x\r\n" + keys + "\r\n"},
		{"an absolute target", line("http://" + g.address + find)},
		{"an absolute target of another host", line("http://elsewhere.example" + find)},
		{"two slashes first", line("/" + find)},
		{"two slashes after the mount", line("/parse//classes/Odd")},
		{"three slashes after the mount", line("/parse///classes/Odd")},
		{"two slashes before the class", line("/parse/classes//Odd")},
		{"a slash at the end", line("/parse/classes/Odd/")},
		{"two slashes at the end", line("/parse/classes/Odd//")},
		{"a slash after the id", line("/parse/classes/Odd/" + id + "/")},
		{"the mount in capitals", line("/PARSE/classes/Odd")},
		{"the route in capitals", line("/parse/CLASSES/Odd")},
		{"the class in small letters", line("/parse/classes/odd")},
		{"an escaped slash before the class", line("/parse/classes%2FOdd")},
		{"an escaped slash in the class", line("/parse/classes/Odd%2F" + id)},
		{"an escaped letter in the mount", line("/pars%65/classes/Odd")},
		{"an escaped letter in the route", line("/parse/class%65s/Odd")},
		{"an escaped letter in the class", line("/parse/classes/%4fdd")},
		{"an escaped letter in the id", line("/parse/classes/Odd/%" + fmt.Sprintf("%02x", id[0]) + id[1:])},
		{"dots", line("/parse/classes/../classes/Odd")},
		{"escaped dots", line("/parse/classes/%2e%2e/classes/Odd")},
		{"a dot segment", line("/parse/./classes/Odd")},
		{"dots into the mount", line("/other/../parse/classes/Odd")},
		{"a dot after the class", line("/parse/classes/Odd.")},
		{"a dot after the id", line("/parse/classes/Odd/" + id + ".")},
		{"a space after the class", line("/parse/classes/Odd%20")},
		{"a zero in the class", line("/parse/classes/Odd%00")},
		{"a semicolon", line("/parse/classes/Odd;x=1")},
		{"a plus in the where", line("/parse/classes/Odd?where={\"s\":\"+\"}")},
		{"an empty query string", line("/parse/classes/Odd?")},
		{"a parameter twice", line("/parse/classes/Odd?limit=1&limit=2")},
		{"a parameter in brackets", line("/parse/classes/Odd?where[n]=1")},
		{"an escaped name", line("/parse/classes/Odd?%6cimit=1")},
		{"an empty value", line("/parse/classes/Odd?order=")},
		{"a semicolon between parameters", line("/parse/classes/Odd?limit=1;order=n")},
		{"_method in the query string", line("/parse/classes/Odd?_method=DELETE")},
		{"an application id in the query string", line("/parse/classes/Odd?_ApplicationId=other")},
		{"the session twice", "GET " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "X-Parse-Session-Token: r:a\r\nX-Parse-Session-Token: \r\n\r\n"},
		{"an empty session", "GET " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "X-Parse-Session-Token:\r\n\r\n"},
		{"an override header", "GET " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "X-HTTP-Method-Override: DELETE\r\n\r\n"},
		{"a range", "GET " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "Range: bytes=0-3\r\n\r\n"},
		{"If-None-Match: *", "GET " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "If-None-Match: *\r\n\r\n"},
		{"Accept-Encoding", "GET " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "Accept-Encoding: gzip\r\n\r\n"},
		{"an Authorization", "GET " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "Authorization: Bearer x\r\n\r\n"},
		{"HEAD", "HEAD " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "\r\n"},
		{"a GET with a body", "GET /parse/classes/Odd HTTP/1.1\r\nHost: x\r\n" + keys + json + "Content-Length: 17\r\n\r\n" + `{"where":{"n":2}}`},
		{"a chunked GET with a body", chunked("GET", "/parse/classes/Odd", json, `{"where":{"n":2}}`)},
		{"a chunked GET with _method", chunked("GET", "/parse/classes/Odd/"+other, json, `{"_method":"DELETE"}`)},
		{"an empty chunked GET", "GET " + find + " HTTP/1.1\r\nHost: x\r\n" + keys + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"a POST that is a find", post(json, `{"_method":"GET","where":{"n":1}}`)},
		{"a chunked POST that is a find", chunked("POST", "/parse/classes/Odd", json, `{"_method":"GET","where":{"n":1}}`)},
		{"a find without a content type", post("", `{"_method":"GET","where":{"n":1}}`)},
		{"a create without a content type", post("", `{"n":1}`)},
		{"a find with text/plain", post("Content-Type: text/plain\r\n", `{"_method":"GET","where":{"n":1}}`)},
		{"a find in a form", post("Content-Type: application/x-www-form-urlencoded\r\n", "_method=GET&limit=1")},
		{"a find in another character set", post("Content-Type: application/json; charset=utf-16\r\n", `{"_method":"GET","where":{"n":1}}`)},
		{"a compressed find", post(json+"Content-Encoding: gzip\r\n", zipped(`{"_method":"GET","where":{"n":1}}`))},
		{"a compressed create", post(json+"Content-Encoding: gzip\r\n", zipped(`{"n":1,"s":"zipped"}`))},
		{"a compressed create that isn't", post(json+"Content-Encoding: gzip\r\n", `{"_method":"GET"}`)},
		{"two codings", post(json+"Content-Encoding: identity, gzip\r\n", zipped(`{"n":1}`))},
		{"_method twice, a find last", post(json, `{"_method":"POST","_method":"GET","n":1}`)},
		{"_method twice, a create last", post(json, `{"_method":"GET","_method":"POST","n":1}`)},
		{"_method escaped", post(json, `{"_meth\u006fd":"GET","where":{"n":1}}`)},
		{"_method in small letters", post(json, `{"_method":"get","where":{"n":1}}`)},
		{"_method that isn't a string", post(json, `{"_method":["GET"],"n":1}`)},
		{"_method deeper", post(json, `{"x":{"_method":"GET"},"n":1}`)},
		{"_method with a space", post(json, `{"_method":"GET ","n":1}`)},
		{"a byte order mark", post(json, "\xef\xbb\xbf"+`{"_method":"GET","where":{"n":1}}`)},
		{"invalid UTF-8", post(json, `{"_method":"GET","where":{"s":"`+"\xff"+`"}}`)},
		{"something after the object", post(json, `{"_method":"GET","where":{"n":1}} {"n":1}`)},
		{"an array", post(json, `[{"_method":"GET"}]`)},
		{"a find with parameters in both places", strings.Replace(post(json, `{"_method":"GET","where":{"n":1}}`), "Odd HTTP", "Odd?limit=1 HTTP", 1)},
		{"a multipart create", post("Content-Type: multipart/form-data; boundary=b\r\n", "--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nGET\r\n--b--\r\n")},
		{"a delete by POST", strings.Replace(post(json, `{"_method":"delete"}`), "Odd HTTP", "Odd/"+other+" HTTP", 1)},
		{"a body in the credentials' place", post(json, `{"_method":"GET","_ApplicationId":"`+appID+`","_SessionToken":"r:x","where":{"n":1}}`)},
		{"a login by GET", line("/parse/login?username=a&password=b")},
		{"two lengths", "POST /parse/classes/Odd HTTP/1.1\r\nHost: x\r\n" + keys + json + "Content-Length: 7\r\nContent-Length: 8\r\n\r\n" + `{"n":1}`},
		{"a length and chunks", "POST /parse/classes/Odd HTTP/1.1\r\nHost: x\r\n" + keys + json + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n" + `{"n":1}` + "\r\n0\r\n\r\n"},
		{"another transfer coding", "POST /parse/classes/Odd HTTP/1.1\r\nHost: x\r\n" + keys + json + "Transfer-Encoding: gzip\r\n\r\n"},
	}
	// The matcher of Caddy takes these for the mount; nobody else does.
	for _, target := range []string{"//parse/classes/Odd/", "/pars%65/classes/Odd/", "/other/../parse/classes/Odd/", "/parse%2Fclasses/Odd/"} {
		a := g.raw(t, "DELETE "+target+other+" HTTP/1.1\r\nHost: x\r\n"+keys+"\r\n")
		if a.status != http.StatusNotFound {
			t.Errorf("DELETE %s: status %d %q, want 404", target, a.status, a.body)
		}
	}
	state := func() string {
		return master.must(t, "GET", "/classes/Odd?order=createdAt,objectId", "", nil).body + master.must(t, "GET", "/classes/_Session?count=1&limit=0", "", nil).body
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := state()
			first := g.raw(t, test.raw)
			wrote := state() != before
			taken := strings.Contains(first.header.Get("Cache-Status"), "fwd=method")
			if wrote {
				if !taken {
					t.Errorf("it wrote, and the gateway took it for a read: %s", first.header.Get("Cache-Status"))
				}
				return
			}
			if taken || first.status == http.StatusBadRequest && first.header.Get("Cache-Status") == "" {
				return // a refused write, or no HTTP
			}
			uncached := g.raw(t, strings.Replace(test.raw, "Host: x\r\n", "Host: x\r\nCache-Control: no-cache\r\n", 1))
			last := g.raw(t, test.raw)
			for _, a := range []answer{first, last} {
				if a.status != uncached.status || a.body != uncached.body {
					t.Errorf("%s: %d %s\na worker answers %d %s", a.header.Get("Cache-Status"), a.status, a.body, uncached.status, uncached.body)
				}
			}
			// What is stored under an odd name has to go when its object changes.
			c.must(t, "PUT", "/classes/Odd/"+id, fmt.Sprintf(`{"at":%d}`, time.Now().UnixNano()), nil)
			after, uncached := g.raw(t, test.raw), g.raw(t, strings.Replace(test.raw, "Host: x\r\n", "Host: x\r\nCache-Control: no-cache\r\n", 1))
			if after.body != uncached.body {
				t.Errorf("after a write, %s: %s\na worker answers %s", after.header.Get("Cache-Status"), after.body, uncached.body)
			}
			t.Logf("%d, %s", first.status, last.header.Get("Cache-Status"))
		})
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text) // a buffer takes everything
	_ = z.Close()
	return b.String()
}

// raw sends bytes as they are, but for the host x, and reads one answer.
func (g *gateway) raw(t *testing.T, request string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	request = strings.Replace(request, "Host: x\r\n", "Host: "+g.address+"\r\n", 1)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}
