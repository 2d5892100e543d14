package rest

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/trickle"
)

// upload stores a file: the raw body, streamed to the store, or the JSON form of the SDKs.
func (a *API) upload(w http.ResponseWriter, r *http.Request, escaped string, from netip.Addr) (res *answer, err error) {
	in := trickle.New(r.Body, http.NewResponseController(w))
	// On a copy: where the server finds another body than its own it closes the connection without waiting for the client to
	// have read why its upload is refused.
	r = r.WithContext(r.Context())
	r.Body = in
	u := &uploading{limit: a.limit, contentType: r.Header.Get("Content-Type"), stream: r.Header.Get("X-Parse-Upload-Mode") == "stream", in: in}
	defer func() {
		if errors.Is(err, errNoRoom) {
			w.Header().Set("Retry-After", "1")
		}
		if err != nil && u.stream || errors.Is(err, errTooLarge) || errors.Is(err, errTooSlow) || errors.Is(err, errNoRoom) {
			w.Header().Set("Connection", "close") // nobody wants to read the rest
		}
	}()
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
		if u.stream {
			return nil, errUnauthorized
		}
		aside, err := a.putAside(r.Context(), in)
		if err != nil {
			return nil, err
		}
		defer aside.close()
		if content, err = a.readUpload(w, r, u, &p, aside); err != nil {
			return nil, err
		}
	}
	c, who, err := a.identify(w.Header(), r, &p, from)
	if err != nil {
		return nil, err
	}
	if err := a.mayUpload(c.caller, who, u); err != nil {
		return nil, err
	}
	if content == nil {
		if content, err = rawUpload(r, u); err != nil {
			return nil, err
		}
	}
	if err := checkDirectory(c.caller, u); err != nil {
		return nil, err
	}
	if u.stream && u.size > u.limit {
		return nil, u.tooLarge()
	}
	file, err := a.saveFile(c, who, u, content)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, header: map[string]string{"Location": string(file.url)}, body: file.json()}, nil
}

// uploading is what is known of a file before it is stored.
type uploading struct {
	name, contentType string
	directory         *string // nil: none asked for
	metadata, tags    map[string]any
	stream            bool
	size              int64 // of the content; -1: nobody knows
	limit             int64
	in                *trickle.Body
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

// readUpload reads the JSON form: credentials, base64 and fileData. The content may come before the credentials, as it does
// from the SDKs, so it is put aside.
func (a *API) readUpload(w http.ResponseWriter, r *http.Request, u *uploading, p *presented, aside *spool) (io.Reader, error) {
	if r.ContentLength > u.limit {
		return nil, errTooLarge
	}
	from, err := decompressed(http.MaxBytesReader(w, r.Body, u.limit), r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	bounded := &bounded{from, u.limit}
	data, err := splitUpload(bounded, aside)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge) || errors.Is(err, errTooLarge):
		return nil, errTooLarge
	case errors.Is(err, trickle.ErrTooSlow):
		return nil, errTooSlow
	case err != nil && r.Context().Err() != nil:
		return nil, r.Context().Err()
	case errors.As(err, new(*os.PathError)):
		a.o.Logger.Error("cannot store a file", "error", err)
		return nil, parseerror.New(parseerror.FileSaveError, "Could not store file: %s.", u.name)
	case err != nil:
		return nil, errUnauthorized
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
	text := b.get("base64")
	if truthy(text) && text[0] != '"' {
		return nil, errUnauthorized
	}
	if v := b.get("fileData"); len(v) > 0 && v[0] == '{' {
		if err := takeFileData(v, u); err != nil {
			return nil, err
		}
	}
	if !truthy(text) || aside.size == 0 {
		return nil, errEmptyUpload
	}
	u.size = aside.size
	u.in.Whole()
	return aside.reader()
}

// bounded fails when more than its size is read.
type bounded struct {
	io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

var errEmptyUpload = parseerror.New(parseerror.FileSaveError, "Invalid file upload.")

// rawUpload prepares the raw body: it is read while it is stored.
func rawUpload(r *http.Request, u *uploading) (io.Reader, error) {
	u.size = r.ContentLength
	if u.stream {
		if dir := r.Header.Get("X-Parse-File-Directory"); dir != "" {
			u.directory = &dir
		}
		for _, field := range []struct {
			name string
			to   *map[string]any
		}{{"X-Parse-File-Metadata", &u.metadata}, {"X-Parse-File-Tags", &u.tags}} {
			v := strings.TrimSpace(r.Header.Get(field.name))
			if v == "" {
				continue
			}
			properties, err := properties([]byte(v))
			if err != nil || v[0] != '{' {
				return nil, parseerror.New(parseerror.InvalidJSON, "Invalid JSON in %s header.", field.name)
			}
			*field.to = properties
		}
		return r.Body, nil
	}
	if r.ContentLength > u.limit {
		return nil, errTooLarge
	}
	if n, err := strconv.Atoi(r.Header.Get("Content-Length")); err == nil && n == 0 {
		return nil, errEmptyUpload
	}
	content, err := decompressed(r.Body, r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	if r.Header.Get("Content-Encoding") != "" {
		u.size = -1
	}
	if u.size >= 0 {
		return content, nil
	}
	begun := bufio.NewReader(content)
	if _, err := begun.Peek(1); err == io.EOF {
		return nil, errEmptyUpload
	}
	return begun, nil // what else is wrong is said when it is read
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
