package rest

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

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
	c, who, err := a.identify(w.Header(), r, &p, from)
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
		if err := takeFileData(v, u); err != nil {
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

// takeFileData reads {"metadata":…,"tags":…,"directory":…}; there is nowhere to keep metadata and tags.
func takeFileData(data []byte, u *uploading) error {
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
