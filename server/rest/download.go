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
	"github.com/parsescale/parsescale/server/trigger"
)

var fileNotFound = &answer{status: http.StatusNotFound, contentType: typeText, body: []byte("File not found.")}

// download answers with a file's content, or the part of it that is asked for.
func (a *API) download(w http.ResponseWriter, r *http.Request, app, escaped string, from netip.Addr) {
	if app, err := url.PathUnescape(app); err != nil || app != a.o.Config.AppID {
		a.failure(parseerror.Forbidden("Invalid application ID.")).write(w, r)
		return
	}
	c, who, err := a.mayRead(r, from)
	if err != nil {
		a.failure(err).write(w, r)
		return
	}
	file := &trigger.File{Size: -1, ResponseHeaders: map[string]string{"X-Content-Type-Options": "nosniff"}}
	if file.Name, err = fileName(escaped); err != nil {
		a.failure(err).write(w, r)
		return
	}
	triggers, err := a.triggersOf(c, who, parseerror.ScriptFailed)
	if err != nil {
		a.failure(err).write(w, r)
		return
	}
	file.ContentType = files.ServedType(file.Name)
	if err := triggers.run(trigger.BeforeFind, file); err != nil {
		a.refusal(err).write(w, r)
		return
	}
	part, ok := wanted(r.Header.Get("Range"))
	if !ok {
		// The whole file is a valid answer (RFC 9110, section 14.2), and many small ranges are an old attack.
		r.Header.Del("Range")
	}
	f, err := a.o.Files.Open(r.Context(), file.Name, part)
	switch {
	case errors.Is(err, files.ErrNotFound):
		fileNotFound.write(w, r)
		return
	case err != nil:
		a.failure(err).write(w, r)
		return
	}
	defer f.Close()
	content := io.ReadSeeker(f.ReadSeekCloser)
	if _, local := content.(*os.File); !local { // which the system can send by itself
		content = &watched{content, r.Context(), a.o.Logger}
	}
	asked := file.Name
	file.ContentType, file.Content = files.ServedType(asked), content
	if err := triggers.run(trigger.AfterFind, file); err != nil {
		a.refusal(err).write(w, r)
		return
	}
	if file.Name != asked {
		file.ContentType = files.ServedType(file.Name)
	}
	if err := sendFound(w, r, f, content, file); err != nil {
		if r.Context().Err() == nil {
			a.o.Logger.Error("cannot send what afterFind has made of a file", "error", err)
		}
		panic(http.ErrAbortHandler) // the client must not take the part for the whole
	}
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
