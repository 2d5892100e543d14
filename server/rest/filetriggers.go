package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/trigger"
)

// fileTriggers are the app's triggers of files, for one request.
type fileTriggers struct {
	a    *API
	c    *call
	who  *auth.Auth
	set  trigger.Set
	code int // of errors that have none
	user map[string]any
}

// triggersOf finds out which triggers of files there are. code is that of their errors that have none.
func (a *API) triggersOf(c *call, who *auth.Auth, code int) (*fileTriggers, error) {
	t := &fileTriggers{a: a, c: c, who: who, code: code}
	if a.o.Cloud == nil {
		return t, nil
	}
	var err error
	if t.set, err = a.o.Cloud.Triggers(c.ctx, trigger.FileClass); err != nil || t.set == 0 {
		return t, err
	}
	c.tellOrigin()
	t.who = &auth.Auth{}
	*t.who = *who
	t.who.Caller = c.caller
	t.user, err = a.asker(c, who)
	return t, err
}

// run runs a trigger, if there is one.
func (t *fileTriggers) run(k trigger.Kind, f *trigger.File) error {
	if !t.set.Has(k) {
		return nil
	}
	r := trigger.By(k, trigger.FileClass, t.who, t.user)
	r.File, r.ErrorCode = f, t.code
	return t.a.o.Cloud.Run(t.c.ctx, r)
}

// fileOf is an upload as its triggers see it.
func fileOf(u *uploading, content io.Reader) *trigger.File {
	f := &trigger.File{
		Name: u.name, ContentType: u.contentType, Metadata: u.metadata, Tags: u.tags, Size: u.size, Stream: u.stream, Content: content,
	}
	if u.directory != nil {
		f.Directory = *u.directory
	}
	return f
}

// take has an upload become what BeforeSave has made of it. What it names is checked as what a client names.
func (u *uploading) take(f *trigger.File) error {
	if err := files.CheckName(f.Name); err != nil && f.Name != u.name {
		return parseerror.New(parseerror.InvalidFileName, "%s", err)
	}
	u.name, u.contentType, u.metadata, u.tags = f.Name, f.ContentType, f.Metadata, f.Tags
	switch {
	case f.Directory == "":
		u.directory = nil
	case u.directory == nil || *u.directory != f.Directory:
		if err := files.CheckDirectory(f.Directory); err != nil {
			return parseerror.New(parseerror.InvalidFileName, "%s", err)
		}
		u.directory = &f.Directory
	}
	return nil
}

// counted counts what is read.
type counted struct {
	io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// sendFound answers with what AfterFind has left of a file. An error says that only a part of it was sent.
func sendFound(w http.ResponseWriter, r *http.Request, stored *files.File, content io.ReadSeeker, f *trigger.File) error {
	h := w.Header()
	h.Set("Content-Type", f.ContentType)
	for name, v := range f.ResponseHeaders {
		h.Set(name, v)
	}
	if f.ForceDownload {
		h.Set("Content-Disposition", attachment(f.Name))
	}
	if f.Content == io.Reader(content) {
		if stored.ETag != "" {
			h.Set("ETag", stored.ETag)
		}
		http.ServeContent(w, r, "", stored.Modified, content)
		return nil
	}
	// It is the app's: nobody knows its length, nor when it changes.
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := io.Copy(w, f.Content)
	return err
}

// attachment has browsers store a file under its name.
func attachment(name string) string {
	for i := range len(name) {
		if !alphanumeric(name[i]) && name[i] != '.' && name[i] != '-' && name[i] != '_' {
			return mime.FormatMediaType("attachment", map[string]string{"filename": name})
		}
	}
	return "attachment;filename=" + name
}

// refusal is what a find of a file is answered with that a trigger refuses: 403 for all of them.
func (a *API) refusal(err error) *answer {
	var e *parseerror.Error
	if !errors.As(err, &e) {
		return a.failure(err)
	}
	return a.failure(forbidden(err))
}
