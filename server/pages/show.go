package pages

import (
	"net/url"
	"strings"
)

// params are a page's parameters in order. One without a value isn't there.
type params [][2]string

// set sets a parameter, in its place if it is there already.
func (ps params) set(name, value string) params {
	for i := range ps {
		if ps[i][0] == name {
			ps[i][1] = value
			return ps
		}
	}
	return append(ps, [2]string{name, value})
}

// show answers with a page, or redirects to it after a form was sent, so that reloading doesn't send it again.
func (p *Pages) show(r *Request, to page, ps params) *Response {
	return p.answer(r, to, ps, p.o.ForceRedirect || r.Method == "POST")
}

func (p *Pages) answer(r *Request, to page, ps params, redirect bool) *Response {
	if p.o.AppName == "" || p.o.PublicServerURL == "" {
		return notFound()
	}
	locale := localeOf(r)
	ps = ps.set("appId", p.o.AppID).set("appName", p.o.AppName).set("publicServerUrl", p.o.PublicServerURL)
	if locale != "" {
		ps = ps.set("locale", locale)
	}
	if custom := p.o.CustomURLs[to.id]; custom != "" {
		return p.redirect(custom, ps)
	}
	var texts map[string]any
	folder := ""
	if p.o.EnableLocalization {
		texts = p.texts(locale, ps)
		folder = p.localized(to.file, locale)
	}
	if redirect {
		return p.redirect(p.o.PublicServerURL+"/"+p.o.PagesEndpoint+"/"+folder+to.file, ps)
	}
	return p.render(folder+to.file, ps, texts)
}

// redirect sends a browser to an address, with the parameters in its query.
func (p *Pages) redirect(to string, ps params) *Response {
	u, err := url.Parse(to)
	if err != nil {
		return notFound()
	}
	if u.Path == "" {
		u.Path = "/"
	}
	var query []string
	written := map[string]bool{}
	add := func(param [2]string) {
		if param[1] != "" && !written[param[0]] {
			written[param[0]] = true
			query = append(query, url.QueryEscape(param[0])+"="+url.QueryEscape(param[1]))
		}
	}
	// A parameter takes the place of one that the address has already.
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil && ps.get(name) != "" {
			add([2]string{name, ps.get(name)})
		} else if pair != "" {
			query = append(query, pair)
		}
	}
	for _, param := range ps {
		add(param)
	}
	u.RawQuery = strings.Join(query, "&")
	res := &Response{Status: 303, ContentType: typeHTML, Body: []byte("Found. Redirecting to " + u.String()), Header: p.header(ps)}
	res.Header["Location"] = u.String()
	return res
}

// get returns the value of a parameter; "" when there is none.
func (ps params) get(name string) string {
	for _, param := range ps {
		if param[0] == name {
			return param[1]
		}
	}
	return ""
}

// maxHeader bounds a header field that repeats a parameter, in bytes. Browsers' pages don't read them.
const maxHeader = 4 << 10

// header repeats the parameters, for programs that don't want to read HTML, and keeps the links of users from going
// further: tokens stand in addresses.
func (p *Pages) header(ps params) map[string]string {
	h := map[string]string{
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	}
	for _, param := range ps {
		value := param[1]
		if p.o.EncodePageParamHeaders {
			value = encodeURIComponent(value)
		}
		value = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, value)
		if value != "" && len(value) <= maxHeader {
			h["X-Parse-Page-Param-"+param[0]] = value
		}
	}
	return h
}

// encodeURIComponent is JavaScript's.
func encodeURIComponent(s string) string {
	return strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(url.QueryEscape(s))
}
