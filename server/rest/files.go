package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/trigger"
)

// serveFiles serves everything below /files. Bodies are streams here, so it comes before the JSON of the other
// endpoints.
func (a *API) serveFiles(w http.ResponseWriter, r *http.Request, path string, from netip.Addr) {
	rest := strings.TrimPrefix(path[len("/files"):], "/")
	var res *answer
	var err error
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if app, name, ok := strings.Cut(rest, "/"); ok && name != "" {
			if below, isMeta := cutFold(name, "metadata/"); isMeta && below != "" {
				res, err = a.fileMetadata(r, app, below, from)
			} else {
				a.download(w, r, app, name, from)
				return
			}
		}
	case http.MethodPost:
		switch {
		case rest == "":
			err = parseerror.New(parseerror.InvalidFileName, "Filename not provided.")
		case !strings.Contains(strings.TrimSuffix(rest, "/"), "/"):
			res, err = a.upload(w, r, strings.TrimSuffix(rest, "/"), from)
		}
	case http.MethodDelete:
		if rest != "" {
			res, err = a.deleteFile(w, r, rest, from)
		}
	}
	switch {
	case err != nil:
		res = a.failure(err)
	case res == nil:
		// Any other path or method goes the way of an unknown route.
		if res, err = a.serve(w, r, path, from, writeID{}); err != nil {
			res = a.failure(err)
		}
	}
	res.write(w, r)
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && equalFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// fileName decodes the name in a path: each segment by itself.
func fileName(escaped string) (string, error) {
	name, err := url.PathUnescape(escaped)
	if err != nil || !utf8.ValidString(name) {
		return "", badParam(escaped)
	}
	return name, nil
}

// identify finds out who asks, by header fields alone, for endpoints whose body isn't JSON. h takes what limits tell.
func (a *API) identify(h http.Header, r *http.Request, p *presented, from netip.Addr) (*call, *auth.Auth, error) {
	if state := a.o.State(); state != "ok" {
		return nil, nil, parseerror.New(parseerror.Internal, "Invalid server state: %s", state)
	}
	caller, err := a.keys.caller(p, from, false)
	if err != nil {
		return nil, nil, err
	}
	path, _ := a.belowMount(r.URL.EscapedPath())
	c := &call{ctx: r.Context(), http: r, method: r.Method, path: path, caller: caller}
	if err := a.limitRequest(h, c); err != nil {
		return nil, nil, err
	}
	who, err := a.resolve(c)
	return c, who, err
}

// mayRead checks fileDownload. Files need no app key: their URLs stand in web pages.
func (a *API) mayRead(r *http.Request, from netip.Addr) (*call, *auth.Auth, error) {
	p := presented{
		master: header(r.Header, "X-Parse-Master-Key"), maintenance: header(r.Header, "X-Parse-Maintenance-Key"),
		session: header(r.Header, "X-Parse-Session-Token"), installation: header(r.Header, "X-Parse-Installation-Id"),
	}
	keyed := *a.keys
	keyed.clients = [4]key{}
	caller, err := keyed.caller(&p, from, false)
	if err != nil {
		return nil, nil, err
	}
	c := &call{ctx: r.Context(), http: r, caller: caller}
	who, err := a.resolve(c)
	if err != nil || caller.Master || caller.Maintenance {
		return c, who, err
	}
	o := a.o.Config.FileDownload
	if kind, ok := allowedFor(who, o.EnableForPublic, o.EnableForAnonymousUser, o.EnableForAuthenticatedUser); !ok {
		return nil, nil, parseerror.New(parseerror.OperationForbidden, "File download by %s is disabled.", kind)
	}
	return c, who, nil
}

// allowedFor decides for the three kinds of callers that the file options know.
func allowedFor(who *auth.Auth, public, anonymous, authenticated bool) (kind string, ok bool) {
	switch {
	case who.User == nil:
		return "public", public
	case isAnonymous(who):
		return "anonymous user", anonymous
	}
	return "authenticated user", authenticated
}

func isAnonymous(who *auth.Auth) bool {
	data, _ := who.User["authData"].(map[string]any)
	return data["anonymous"] != nil
}

// fileMetadata answers what an uploader said of a file, {} when that is nothing or there is no such file.
func (a *API) fileMetadata(r *http.Request, app, escaped string, from netip.Addr) (*answer, error) {
	nothing := &answer{body: []byte("{}")}
	if app, err := url.PathUnescape(app); err != nil || app != a.o.Config.AppID {
		return nothing, nil
	}
	c, who, err := a.mayRead(r, from)
	if err != nil {
		return nil, forbidden(err)
	}
	f := &trigger.File{Size: -1}
	if f.Name, err = fileName(escaped); err != nil {
		return nil, err
	}
	triggers, err := a.triggersOf(c, who, parseerror.ScriptFailed)
	if err != nil {
		return nil, err
	}
	if err := triggers.run(trigger.BeforeFind, f); err != nil {
		return a.refusal(err), nil
	}
	p, err := a.o.Files.Properties(r.Context(), f.Name)
	switch {
	case errors.Is(err, files.ErrNotFound):
		return nothing, nil
	case err != nil:
		return nil, err
	}
	if err := triggers.run(trigger.AfterFind, f); err != nil {
		return a.refusal(err), nil
	}
	if len(p.Metadata) == 0 {
		return nothing, nil
	}
	body, err := json.Marshal(map[string]any{"metadata": p.Metadata})
	if err != nil {
		return nil, fmt.Errorf("cannot encode a file's metadata: %w", err)
	}
	return &answer{body: body}, nil
}

// forbidden gives a Parse error the status 403, which this endpoint alone has for all of them.
func forbidden(err error) error {
	var e *parseerror.Error
	if !errors.As(err, &e) || e.Internal() {
		return err
	}
	same := *e
	same.Status = http.StatusForbidden
	return &same
}

func (a *API) deleteFile(w http.ResponseWriter, r *http.Request, escaped string, from netip.Addr) (*answer, error) {
	p, err := a.keys.fromHeaders(r.Header)
	if err != nil {
		return nil, err
	}
	if p.appID != a.keys.appID {
		return nil, errUnauthorized
	}
	c, who, err := a.identify(w.Header(), r, &p, from)
	switch {
	case err != nil:
		return nil, err
	case !c.caller.Master:
		return nil, parseerror.Forbidden("unauthorized: master key is required")
	case c.caller.ReadOnly:
		return nil, parseerror.Forbidden("read-only masterKey isn't allowed to delete a file.")
	}
	name, err := fileName(escaped)
	if err != nil {
		return nil, err
	}
	if err := a.removeFile(c, who, name); err != nil {
		return nil, err
	}
	return &answer{contentType: typeText}, nil
}
