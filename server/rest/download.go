package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/parseerror"
)

var fileNotFound = &answer{status: http.StatusNotFound, contentType: typeText, body: []byte("File not found.")}

// download answers with a file's content, or the part of it that is asked for.
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
	part, ok := wanted(r.Header.Get("Range"))
	if !ok {
		// The whole file is a valid answer (RFC 9110, section 14.2), and many small ranges are an old attack.
		r.Header.Del("Range")
	}
	f, err := a.o.Files.Open(r.Context(), name, part)
	switch {
	case errors.Is(err, files.ErrNotFound):
		fileNotFound.write(w, r)
		return
	case err != nil:
		a.failure(err).write(w, r)
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", files.ServedType(name))
	h.Set("X-Content-Type-Options", "nosniff")
	if f.ETag != "" {
		h.Set("ETag", f.ETag)
	}
	content := io.ReadSeeker(f.ReadSeekCloser)
	if _, local := content.(*os.File); !local { // which the system can send by itself
		content = &watched{content, r.Context(), a.o.Logger}
	}
	http.ServeContent(w, r, "", f.Modified, content)
}

// wanted is the part that a Range field asks for. ok is false when the field is to be ignored: it asks for several parts, or
// doesn't count in bytes.
func wanted(field string) (part files.Span, ok bool) {
	bounds, isBytes := strings.CutPrefix(field, "bytes=")
	if !isBytes || strings.Contains(field, ",") {
		return part, false
	}
	first, last, isRange := strings.Cut(bounds, "-")
	from, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	if !isRange || err != nil || from < 0 {
		return part, true
	}
	part.Offset = from
	if to, err := strconv.ParseInt(strings.TrimSpace(last), 10, 64); err == nil && to >= from && to < math.MaxInt64 {
		part.Length = to - from + 1
	}
	return part, true
}

// watched logs what goes wrong while a file is sent. The client learns of it by the end of the connection.
type watched struct {
	io.ReadSeeker
	ctx    context.Context
	logger *slog.Logger
}

// Read implements io.Reader.
func (c *watched) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	if err != nil && err != io.EOF && c.ctx.Err() == nil {
		c.logger.Error("cannot read a file", "error", err)
	}
	return n, err
}
