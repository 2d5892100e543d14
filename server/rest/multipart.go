package rest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"unicode/utf16"

	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/parseerror"
)

// maxParts bounds the parts of a form: each costs memory beside its content.
const maxParts = 10_000

const formData = "multipart/form-data"

var (
	errFormTooLarge = parseerror.New(parseerror.ObjectTooLarge, "Multipart request exceeds maximum upload size.")
	errFormParts    = parseerror.New(parseerror.ObjectTooLarge, "Multipart request has too many parts.")
)

func errForm(why string) error {
	return parseerror.New(parseerror.InvalidJSON, "Invalid multipart request: %s", why)
}

// isForm reports whether a request's body is a form with parts, which isn't read with the credentials: they can only be in
// the header fields.
func isForm(h http.Header) bool {
	mediaType, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return mediaType == formData
}

// readForm reads a form with parts, at most limit bytes of it, all that is between its contents included. Fields are texts;
// files are what cloud.Upload makes of them. Of repeated names the last counts.
func readForm(r *http.Request, limit int64) (map[string]any, error) {
	if r.ContentLength > limit {
		return nil, errFormTooLarge
	}
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || parameters["boundary"] == "" {
		return nil, errForm("Multipart: Boundary not found")
	}
	// Whatever ends before the last boundary does is cut off; the reader itself would take some of it for the end.
	body := io.MultiReader(&bounded{r.Body, limit}, strings.NewReader("\r\n"), cutOff{})
	form := multipart.NewReader(body, parameters["boundary"])
	out := map[string]any{}
	for n := 0; ; n++ {
		part, err := form.NextRawPart()
		switch {
		case err == io.EOF: //nolint:errorlint // the last boundary; wrapped it is something else
			return out, nil
		case err != nil:
			return nil, formError(err)
		case n == maxParts:
			return nil, errFormParts
		}
		disposition, names, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil && part.Header.Get("Content-Disposition") != "" {
			return nil, errForm("Malformed part header")
		}
		if !strings.EqualFold(disposition, "form-data") {
			continue
		}
		var content bytes.Buffer
		if _, err := content.ReadFrom(part); err != nil {
			return nil, formError(err)
		}
		name, named := names["name"]
		if !named {
			name = "undefined" // what parse-server makes of it
		}
		kind, about, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil && kind == "" {
			kind = "text/plain"
		}
		switch file, ok := names["filename"]; {
		case ok:
			out[name] = cloud.Upload(baseName(file), kind, content.Bytes())
		case kind == "application/octet-stream":
			out[name] = cloud.Unnamed(kind, content.Bytes())
		default:
			out[name] = decodeText(content.Bytes(), about["charset"])
		}
	}
}

var errFormEnds = errForm("Unexpected end of multipart data")

// cutOff is what comes after a form's end.
type cutOff struct{}

// Read implements io.Reader.
func (cutOff) Read([]byte) (int, error) { return 0, errFormEnds }

// formError words what went wrong while a form was read.
func formError(err error) error {
	switch {
	case errors.Is(err, errTooLarge):
		return errFormTooLarge
	case errors.Is(err, errFormEnds) || errors.Is(err, io.ErrUnexpectedEOF):
		return errFormEnds
	}
	return errForm("Malformed part header")
}

// baseName is the last part of a path of either kind.
func baseName(path string) string {
	path = path[strings.LastIndexAny(path, `/\`)+1:]
	if path == "." || path == ".." {
		return ""
	}
	return toUTF8([]byte(path))
}

// decodeText decodes a field, as parse-server does: of a charset that isn't known it is UTF-8.
func decodeText(text []byte, charset string) string {
	switch strings.ToLower(charset) {
	case "latin1", "ascii", "us-ascii", "iso-8859-1", "iso8859-1", "iso88591", "iso_8859-1", "windows-1252", "iso_8859-1:1987", "cp1252", "x-cp1252":
		runes := make([]rune, len(text))
		for i, c := range text {
			runes[i] = rune(c)
		}
		return string(runes)
	case "utf16le", "utf-16le", "ucs2", "ucs-2":
		units := make([]uint16, len(text)/2)
		for i := range units {
			units[i] = uint16(text[2*i]) | uint16(text[2*i+1])<<8
		}
		return string(utf16.Decode(units))
	case "base64":
		return base64.StdEncoding.EncodeToString(text)
	}
	return toUTF8(text)
}

func toUTF8(text []byte) string { return strings.ToValidUTF8(string(text), "\uFFFD") }
