package rest

import (
	"mime"
	"net/http"
	"strings"

	"github.com/parsescale/parsescale/server/pages"
)

// maxForm bounds the forms that pages send, in bytes.
const maxForm = 100 << 10

// pageMethod is the method by which a page is asked for.
func pageMethod(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

// servePage serves a page. Whoever opens a link has no keys.
func (a *API) servePage(w http.ResponseWriter, r *http.Request, path string) {
	req := &pages.Request{
		Method: pageMethod(r), Path: path, Query: map[string]string{}, Form: map[string]string{},
		XHR:    strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest"),
		Locale: r.Header.Get("X-Parse-Page-Param-Locale"),
	}
	for _, f := range parseQueryString(r.URL.RawQuery) {
		if s, ok := f.value.(string); ok {
			req.Query[f.name] = s
		}
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method == http.MethodPost && mediaType == "application/x-www-form-urlencoded" {
		data, err := readAll(w, r, maxForm)
		if err != nil {
			a.failure(err).write(w, r)
			return
		}
		form := parseForm(string(data))
		for _, m := range form.members {
			if s, ok := form.text(m.name); ok {
				req.Form[m.name] = s
			}
		}
	}
	res := a.o.Pages.Answer(r.Context(), req)
	(&answer{status: res.Status, contentType: res.ContentType, body: res.Body, header: res.Header}).write(w, r)
}
