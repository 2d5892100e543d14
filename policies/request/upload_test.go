package request

import (
	"fmt"
	"net/http"
	"testing"
)

// TestUploadCredentials: a worker that doesn't know the app of the header looks for another one in an upload that is a JSON object.
func TestUploadCredentials(t *testing.T) {
	const credentials = `"_ApplicationId":"blog","_MasterKey":"m"`
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for _, c := range []struct {
		name, body   string
		header       http.Header
		partial      bool // the body goes on
		apps         string
		more, master bool
	}{
		{"the SDKs' form", `{"base64":"eA==",` + credentials + `}`, nil, false, "[blog]", false, true},
		{"with white space and another type", " \r\n\t{" + credentials + "}", header("Content-Type", "image/png"), false, "[blog]", false, true},
		{"beside another app in the header", `{` + credentials + `}`, header("X-Parse-Application-Id", "x"), false, "[x blog]", false, true},
		{"the file itself", "\x89PNG", header("X-Parse-Application-Id", "shop"), true, "[shop]", false, false},
		{"a file that is JSON", `{"a":1}`, header("X-Parse-Application-Id", "shop"), false, "[shop]", false, false},
		{"a file that is an array", `[` + credentials + `]`, nil, false, "[]", false, false},
		{"nothing", "", nil, false, "[]", false, false},
		{"an object that goes on", `{"base64":"eA`, header("X-Parse-Application-Id", "shop"), true, "[shop]", true, false},
		{"white space that goes on", "   ", nil, true, "[]", true, false},
		{"what nobody has looked at", "", nil, true, "[]", true, false},
		{"an object that is broken", `{` + credentials, nil, false, "[]", true, false},
		{"what is compressed", "\x1f\x8b", header("Content-Encoding", "gzip"), false, "[]", true, false},
		{"an id that isn't text", `{"_ApplicationId":["blog"]}`, nil, false, "[]", true, false},
		{"Basic credentials beside the header", "x", header("X-Parse-Application-Id", "x", "Authorization", "Basic YmxvZzptCg=="), false, "[x blog]", false, true},
	} {
		r := Classify(Input{Method: "POST", Path: "/files/a.txt", Header: c.header, Body: []byte(c.body), BodyComplete: !c.partial, Mount: "/parse"})
		ids, more := r.Apps()
		if fmt.Sprint(ids) != c.apps || more != c.more || r.Privileged != c.master || r.Op != FileUpload || !r.Write || r.Cacheable {
			t.Errorf("%s: %v %v, privileged %v, %v", c.name, ids, more, r.Privileged, r.Op)
		}
	}
}
