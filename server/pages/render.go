package pages

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/cbroglie/mustache"

	"github.com/parsescale/parsescale/server/files"
)

//go:embed public
var public embed.FS

// open opens the folder of pages. What is read through it stays in it, whatever a path or a link in it says.
func (p *Pages) open() error {
	if p.o.PagesPath == "" {
		sub, err := fs.Sub(public, "public")
		p.files, p.bundled = sub, true
		return err
	}
	root, err := os.OpenRoot(p.o.PagesPath)
	if err != nil {
		return fmt.Errorf("cannot open pages.pagesPath: %w", err)
	}
	p.files, p.close = root.FS(), root.Close
	return nil
}

// maxFile bounds a file of the folder, in bytes: it is read whole.
const maxFile = 8 << 20

// read reads a file of the folder; false: there is none.
func (p *Pages) read(name string) ([]byte, bool) {
	if !fs.ValidPath(name) || strings.Contains(name, `\`) {
		return nil, false
	}
	info, err := fs.Stat(p.files, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, false
	}
	data, err := fs.ReadFile(p.files, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.o.Logger.Error("cannot read a page", "file", name, "error", err)
	}
	return data, err == nil
}

// file answers with a file of the folder: a page with its placeholders filled in, anything else as it is.
func (p *Pages) file(r *Request, name string) *Response {
	if !strings.HasSuffix(name, ".html") {
		data, ok := p.read(name)
		if !ok {
			return notFound()
		}
		contentType := files.ContentType(name)
		if contentType == "" {
			contentType = "application/octet-stream"
		} else if strings.HasPrefix(contentType, "text/") {
			contentType += "; charset=utf-8"
		}
		return &Response{Status: 200, ContentType: contentType, Body: data, Header: map[string]string{"X-Content-Type-Options": "nosniff"}}
	}
	var ps params
	if r.Query["appId"] == p.o.AppID {
		ps = params{{"appId", p.o.AppID}, {"appName", p.o.AppName}, {"publicServerUrl", p.o.PublicServerURL}}
	}
	locale := localeOf(r)
	if locale != "" {
		ps = ps.set("locale", locale)
	}
	var texts map[string]any
	if p.o.EnableLocalization {
		texts = p.texts(locale, ps)
	}
	return p.render(name, ps, texts)
}

// render fills in a page's placeholders: the translated texts, else the site's own values, else the parameters.
func (p *Pages) render(name string, ps params, texts map[string]any) *Response {
	data, ok := p.read(name)
	if !ok {
		return notFound()
	}
	values := map[string]any{}
	for _, param := range ps {
		values[param[0]] = param[1]
	}
	if p.bundled && ps.get("appId") != "" {
		values["formAction"] = p.o.PublicServerURL + "/" + p.o.PagesEndpoint + "/" + url.PathEscape(p.o.AppID)
	}
	body, err := p.fill(string(data), texts, p.o.Placeholders, values)
	if err != nil {
		p.o.Logger.Error("cannot show a page", "file", name, "error", err)
		return &Response{Status: 500, ContentType: typeJSON, Body: []byte(`{"code":1,"message":"Internal server error."}`)}
	}
	res := &Response{Status: 200, ContentType: typeHTML, Body: body, Header: p.header(ps)}
	if p.bundled {
		// The bundled pages need nothing from anywhere.
		res.Header["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
	}
	return res
}

// fill renders a template. Of the values, the first that has a name counts.
func (p *Pages) fill(template string, values ...map[string]any) ([]byte, error) {
	t, err := mustache.ParseStringPartials(template, p)
	if err != nil {
		return nil, err
	}
	t.Escape(escape)
	chain := make([]any, 0, len(values))
	for _, v := range values {
		if v != nil {
			chain = append(chain, v)
		}
	}
	var out bytes.Buffer
	err = t.FRender(&out, chain...)
	return out.Bytes(), err
}

// Get implements mustache.PartialProvider: the bundled pages begin alike. Others can't include anything.
func (p *Pages) Get(name string) (string, error) {
	if !p.bundled || name != "head" {
		return "", nil
	}
	data, err := fs.ReadFile(p.files, "head.mustache")
	return string(data), err
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;", "/", "&#x2F;", "`", "&#x60;", "=", "&#x3D;")

// escape makes text harmless within HTML, in attributes without quotes too: as Mustache for JavaScript does it.
func escape(s string) string { return escaper.Replace(s) }
