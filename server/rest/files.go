package rest

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
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
				res, err = a.fileMetadata(r, app, from)
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
		if res, err = a.serve(w, r, path, from, ""); err != nil {
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

// identify finds out who asks, by header fields alone, for endpoints whose body isn't JSON.
func (a *API) identify(r *http.Request, p *presented, from netip.Addr) (*call, *auth.Auth, error) {
	if state := a.o.State(); state != "ok" {
		return nil, nil, parseerror.New(parseerror.Internal, "Invalid server state: %s", state)
	}
	caller, err := a.keys.caller(p, from, false)
	if err != nil {
		return nil, nil, err
	}
	c := &call{ctx: r.Context(), http: r, method: r.Method, caller: caller}
	who, err := a.resolve(c)
	return c, who, err
}

// mayRead checks fileDownload. Files need no app key: their URLs stand in web pages.
func (a *API) mayRead(r *http.Request, from netip.Addr) error {
	p := presented{
		master: header(r.Header, "X-Parse-Master-Key"), maintenance: header(r.Header, "X-Parse-Maintenance-Key"),
		session: header(r.Header, "X-Parse-Session-Token"), installation: header(r.Header, "X-Parse-Installation-Id"),
	}
	keyed := *a.keys
	keyed.clients = [4]key{}
	caller, err := keyed.caller(&p, from, false)
	if err != nil {
		return err
	}
	if caller.Master || caller.Maintenance {
		return nil
	}
	who, err := a.resolve(&call{ctx: r.Context(), caller: caller})
	if err != nil {
		return err
	}
	o := a.o.Config.FileDownload
	if kind, ok := allowedFor(who, o.EnableForPublic, o.EnableForAnonymousUser, o.EnableForAuthenticatedUser); !ok {
		return parseerror.New(parseerror.OperationForbidden, "File download by %s is disabled.", kind)
	}
	return nil
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
	if data == nil {
		// The storage may keep one column for each provider.
		return who.User["_auth_data_anonymous"] != nil
	}
	return data["anonymous"] != nil
}

var fileNotFound = &answer{status: http.StatusNotFound, contentType: typeText, body: []byte("File not found.")}

func (a *API) download(w http.ResponseWriter, r *http.Request, app, escaped string, from netip.Addr) {
	if app, err := url.PathUnescape(app); err != nil || app != a.o.Config.AppID {
		a.failure(parseerror.Forbidden("Invalid application ID.")).write(w, r)
		return
	}
	if err := a.mayRead(r, from); err != nil {
		a.failure(err).write(w, r)
		return
	}
	name, err := fileName(escaped)
	if err != nil {
		a.failure(err).write(w, r)
		return
	}
	f, err := a.o.Files.Open(name)
	if err != nil {
		fileNotFound.write(w, r)
		return
	}
	defer f.Close()
	contentType := files.ContentType(name)
	if contentType == "" {
		// Never sniffed, never what the uploader claimed.
		contentType = "application/octet-stream"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", f.Modified, f.File)
}

// fileMetadata answers what parse-server answers with a files adapter that keeps no metadata.
func (a *API) fileMetadata(r *http.Request, app string, from netip.Addr) (*answer, error) {
	if app, err := url.PathUnescape(app); err == nil && app == a.o.Config.AppID {
		if err := a.mayRead(r, from); err != nil {
			return nil, err
		}
	}
	return &answer{body: []byte("{}")}, nil
}

// upload stores a file: the raw body, streamed to the disk, or the JSON form of the SDKs.
func (a *API) upload(w http.ResponseWriter, r *http.Request, escaped string, from netip.Addr) (*answer, error) {
	u := &uploading{limit: a.limit, contentType: r.Header.Get("Content-Type"), stream: r.Header.Get("X-Parse-Upload-Mode") == "stream"}
	var err error
	if u.name, err = fileName(escaped); err != nil {
		return nil, err
	}
	if err := a.raiseLimit(r, u, from); err != nil {
		return nil, err
	}
	p, err := a.keys.fromHeaders(r.Header)
	if err != nil {
		return nil, err
	}
	var content io.Reader
	if p.appID != a.keys.appID {
		// The app id can only be in the body.
		select {
		case a.uploads <- struct{}{}:
			defer func() { <-a.uploads }()
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		if content, err = a.readUpload(w, r, u, &p); err != nil {
			return nil, err
		}
	}
	c, who, err := a.identify(r, &p, from)
	if err != nil {
		return nil, err
	}
	if err := a.mayUpload(c.caller, who, u); err != nil {
		return nil, err
	}
	if content == nil {
		if content, err = rawUpload(w, r, u); err != nil {
			return nil, err
		}
	}
	if err := checkDirectory(c.caller, u); err != nil {
		return nil, err
	}
	name := files.StoredName(u.name, u.contentType, a.o.Config.PreserveFileName)
	if u.directory != nil {
		name = *u.directory + "/" + name
	}
	_, err = a.o.Files.Create(name, content, u.limit)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, files.ErrTooLarge) || errors.As(err, &tooLarge):
		w.Header().Set("Connection", "close")
		if u.stream {
			return nil, parseerror.New(parseerror.FileSaveError, "File size exceeds maximum allowed: %d bytes.", u.limit)
		}
		return nil, errTooLarge
	case err != nil:
		a.o.Logger.Error("cannot store a file", "error", err)
		return nil, parseerror.New(parseerror.FileSaveError, "Could not store file: %s.", u.name)
	}
	at := AppendFileURL(nil, a.o.Config, name)
	out := append([]byte(`{"url":"`), at...)
	out = append(out, `","name":`...)
	out = append(query.AppendString(out, name), '}')
	return &answer{status: http.StatusCreated, header: map[string]string{"Location": string(at)}, body: out}, nil
}

// uploading is what is known of a file before it is stored.
type uploading struct {
	name, contentType string
	directory         *string // nil: none asked for
	stream            bool
	limit             int64
}

// raiseLimit obeys X-Parse-File-Max-Upload-Size, which needs the master key.
func (a *API) raiseLimit(r *http.Request, u *uploading, from netip.Addr) error {
	text := r.Header.Get("X-Parse-File-Max-Upload-Size")
	if text == "" {
		return nil
	}
	if r.Header.Get("X-Parse-Application-Id") != a.keys.appID {
		return parseerror.Forbidden("Invalid application ID.")
	}
	if !a.keys.master.is(header(r.Header, "X-Parse-Master-Key")) || !a.keys.masterIPs.Contains(from) {
		return parseerror.Forbidden("unauthorized: master key is required")
	}
	size, err := config.ParseSize(text)
	if err != nil {
		return parseerror.New(parseerror.FileSaveError, "Invalid maxUploadSize override value: %s", text)
	}
	u.limit = int64(size)
	return nil
}

// readUpload reads the JSON form: credentials, base64 and fileData.
func (a *API) readUpload(w http.ResponseWriter, r *http.Request, u *uploading, p *presented) (io.Reader, error) {
	data, err := readAll(w, r, u.limit)
	if err != nil {
		return nil, err
	}
	b, err := parseBody(data)
	if err != nil || len(b.members) == 0 {
		return nil, errUnauthorized
	}
	if err := a.keys.fromBody(b, p); err != nil {
		return nil, err
	}
	if p.contentType != "" {
		u.contentType = p.contentType
	}
	text, ok := b.text("base64")
	if v := b.get("base64"); truthy(v) && !ok {
		return nil, errUnauthorized
	}
	if v := b.get("fileData"); len(v) > 0 && v[0] == '{' {
		if err := a.takeFileData(v, u); err != nil {
			return nil, err
		}
	}
	if text == "" {
		return nil, parseerror.New(parseerror.FileSaveError, "Invalid file upload.")
	}
	u.stream = false
	// Node ignores what isn't base64 and takes both alphabets.
	clean := strings.Map(func(c rune) rune {
		switch {
		case c == '-':
			return '+'
		case c == '_':
			return '/'
		case c == '+' || c == '/' || c < utf8.RuneSelf && alphanumeric(byte(c)):
			return c
		}
		return -1
	}, text)
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	return base64.NewDecoder(base64.RawStdEncoding, strings.NewReader(clean)), nil
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// takeFileData reads {"metadata":…,"tags":…,"directory":…}; there is nowhere to keep metadata and tags, but what is
// forbidden in them is refused as parse-server does.
func (a *API) takeFileData(data []byte, u *uploading) error {
	b, err := parseBody(data)
	if err != nil {
		return err
	}
	if v := b.get("directory"); v != nil {
		s, ok := b.text("directory")
		if !ok {
			return parseerror.New(parseerror.InvalidFileName, "Directory must be a string.")
		}
		u.directory = &s
	}
	return nil
}

// rawUpload prepares the raw body: it is read while it is stored.
func rawUpload(w http.ResponseWriter, r *http.Request, u *uploading) (io.Reader, error) {
	if u.stream {
		if dir := r.Header.Get("X-Parse-File-Directory"); dir != "" {
			u.directory = &dir
		}
		for _, name := range []string{"X-Parse-File-Metadata", "X-Parse-File-Tags"} {
			if v := r.Header.Get(name); v != "" && !isObject([]byte(v)) {
				return nil, parseerror.New(parseerror.InvalidJSON, "Invalid JSON in %s header.", name)
			}
		}
		if r.ContentLength > u.limit {
			return http.MaxBytesReader(w, r.Body, 0), nil
		}
		return r.Body, nil
	}
	if r.ContentLength > u.limit {
		w.Header().Set("Connection", "close")
		return nil, errTooLarge
	}
	if n, err := strconv.Atoi(r.Header.Get("Content-Length")); err == nil && n == 0 {
		return nil, parseerror.New(parseerror.FileSaveError, "Invalid file upload.")
	}
	return decompressed(r.Body, r.Header.Get("Content-Encoding"))
}

// mayUpload checks fileUpload, the name, its kind and the directory, in parse-server's order.
func (a *API) mayUpload(c auth.Caller, who *auth.Auth, u *uploading) error {
	if c.ReadOnly {
		return parseerror.Forbidden("read-only masterKey isn't allowed to create a file.")
	}
	if !c.Master && !c.Maintenance {
		o := a.o.Config.FileUpload
		if kind, ok := allowedFor(who, o.EnableForPublic, o.EnableForAnonymousUser, o.EnableForAuthenticatedUser); !ok {
			return parseerror.New(parseerror.FileSaveError, "File upload by %s is disabled.", kind)
		}
	}
	if err := files.CheckName(u.name); err != nil {
		return parseerror.New(parseerror.InvalidFileName, "%s", err)
	}
	if !c.Master {
		if err := a.filter.Check(u.name, u.contentType); err != nil {
			return parseerror.New(parseerror.FileSaveError, "%s", err)
		}
	}
	return nil
}

// checkDirectory decides about the directory, which only the master key may choose.
func checkDirectory(c auth.Caller, u *uploading) error {
	if u.directory == nil {
		return nil
	}
	if !c.Master {
		return parseerror.New(parseerror.OperationForbidden, "Directory can only be set using the Master Key.")
	}
	if err := files.CheckDirectory(*u.directory); err != nil {
		return parseerror.New(parseerror.InvalidFileName, "%s", err)
	}
	return nil
}

func (a *API) deleteFile(w http.ResponseWriter, r *http.Request, escaped string, from netip.Addr) (*answer, error) {
	p, err := a.keys.fromHeaders(r.Header)
	if err != nil {
		return nil, err
	}
	if p.appID != a.keys.appID {
		return nil, errUnauthorized
	}
	c, _, err := a.identify(r, &p, from)
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
	if err := a.o.Files.Delete(name); err != nil {
		if !errors.Is(err, files.ErrNotFound) {
			a.o.Logger.Error("cannot delete a file", "error", err)
		}
		return nil, parseerror.New(parseerror.FileDeleteError, "Could not delete file.")
	}
	return &answer{contentType: typeText}, nil
}

// AppendFileURL appends the URL of a stored file, safe within a JSON string: every byte that isn't plain is percent-encoded.
func AppendFileURL(dst []byte, o *config.Options, name string) []byte {
	if o.FileKey != "" {
		// Files of the former hosting service stay where they are.
		switch {
		case strings.HasPrefix(name, "tfss-"):
			return appendEscaped(append(append(append(dst, "http://files.parsetfss.com/"...), url.PathEscape(o.FileKey)...), '/'), name, false)
		case hosted(name):
			return appendEscaped(append(append(append(dst, "http://files.parse.com/"...), url.PathEscape(o.FileKey)...), '/'), name, false)
		}
	}
	for _, c := range []byte(o.URL()) {
		if c <= ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			const hex = "0123456789ABCDEF"
			dst = append(dst, '%', hex[c>>4], hex[c&15])
			continue
		}
		dst = append(dst, c)
	}
	dst = append(dst, "/files/"...)
	dst = appendEscaped(dst, o.AppID, false)
	dst = append(dst, '/')
	return appendEscaped(dst, name, true)
}

// appendEscaped is JavaScript's encodeURIComponent, for each segment by itself if slashes are kept.
func appendEscaped(dst []byte, s string, slashes bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case alphanumeric(c), strings.IndexByte("-_.!~*'()", c) >= 0, slashes && c == '/':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// hosted reports whether a name starts with a UUID and a dash, as the hosting service made them.
func hosted(name string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx-"
	if len(name) <= len(form) {
		return false
	}
	for i := range len(form) {
		c := name[i]
		isHex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if form[i] == 'x' && !isHex || form[i] == '-' && c != '-' {
			return false
		}
	}
	return true
}
