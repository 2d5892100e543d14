package rest

import (
	"context"
	"errors"
	"io"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/trickle"
	"github.com/parsescale/parsescale/server/trigger"
)

// FileStore keeps uploaded files. A file that isn't there is files.ErrNotFound; any other error is trouble, which is logged.
type FileStore interface {
	// Create stores what content holds, whole or not at all. More than limit bytes are files.ErrTooLarge.
	Create(ctx context.Context, name string, content io.Reader, limit int64, p files.Properties) error
	// Open opens a file, of which the part is going to be read. The context must last as long as the reading.
	Open(ctx context.Context, name string, part files.Span) (*files.File, error)
	// Properties tells what is kept beside a file's content.
	Properties(ctx context.Context, name string) (*files.Properties, error)
	// Delete removes a file.
	Delete(ctx context.Context, name string) error
}

// saved is a file that was stored.
type saved struct {
	name string
	url  []byte // safe within a JSON string
}

// saveFile stores a file that the caller may upload: every upload comes through here.
func (a *API) saveFile(c *call, who *auth.Auth, u *uploading, content io.Reader) (*saved, error) {
	if err := a.o.Denied(u.metadata); err != nil {
		return nil, err
	}
	if err := a.o.Denied(u.tags); err != nil {
		return nil, err
	}
	triggers, err := a.triggersOf(c, who, parseerror.FileSaveError)
	if err != nil {
		return nil, err
	}
	if u.size < 0 && !u.stream && triggers.set.Has(trigger.BeforeSave) {
		// BeforeSave is told how long it is.
		aside, err := a.putAside(c.ctx, u.in)
		if err != nil {
			return nil, err
		}
		defer aside.close()
		if content, err = a.measure(c.ctx, u, content, aside); err != nil {
			return nil, err
		}
	}
	f := fileOf(u, content)
	if err := triggers.run(trigger.BeforeSave, f); err != nil {
		return nil, err
	}
	out := &saved{f.Name, appendPlain(nil, f.URL)}
	if f.URL == "" {
		if err := u.take(f); err != nil {
			return nil, err
		}
		read := &counted{Reader: f.Content}
		if out, err = a.storeFile(c.ctx, u, read); err != nil {
			return nil, err
		}
		if !u.stream {
			f.Size = read.n
		}
	} else {
		f.Size = -1
	}
	f.Name, f.URL, f.Content = out.name, string(out.url), nil
	return out, triggers.run(trigger.AfterSave, f)
}

// storeFile stores the content of an upload.
func (a *API) storeFile(ctx context.Context, u *uploading, content io.Reader) (*saved, error) {
	name := files.StoredName(u.name, u.contentType, a.o.Config.PreserveFileName)
	p := files.Properties{ContentType: files.ContentType(name), Metadata: u.metadata, Tags: u.tags, Unique: !a.o.Config.PreserveFileName}
	if p.ContentType == "" {
		p.ContentType = u.contentType
	}
	if u.directory != nil {
		name = *u.directory + "/" + name
	}
	if err := a.o.Files.Create(ctx, name, content, u.limit, p); err != nil {
		return nil, a.notStored(ctx, u, err)
	}
	return &saved{name, a.o.FileURL(nil, name)}, nil
}

// measure puts the content of an upload aside to learn its length.
func (a *API) measure(ctx context.Context, u *uploading, content io.Reader, aside *spool) (io.Reader, error) {
	if err := files.Copy(aside, content, u.limit); err != nil {
		return nil, a.notStored(ctx, u, err)
	}
	u.size = aside.size
	u.in.Whole()
	return aside.reader()
}

// notStored is what a client hears of an upload that failed.
func (a *API) notStored(ctx context.Context, u *uploading, err error) error {
	switch {
	case errors.Is(err, files.ErrTooLarge):
		return u.tooLarge()
	case errors.Is(err, trickle.ErrTooSlow):
		return errTooSlow
	case ctx.Err() == nil: // else the client is gone
		a.o.Logger.Error("cannot store a file", "error", err)
	}
	return parseerror.New(parseerror.FileSaveError, "Could not store file: %s.", u.name)
}

// tooLarge refuses an upload, as parse-server does in each of its forms.
func (u *uploading) tooLarge() error {
	if u.stream {
		return parseerror.New(parseerror.FileSaveError, "File size exceeds maximum allowed: %d bytes.", u.limit)
	}
	return errTooLarge
}

// removeFile deletes a file: every deletion comes through here.
func (a *API) removeFile(c *call, who *auth.Auth, name string) error {
	triggers, err := a.triggersOf(c, who, parseerror.FileDeleteError)
	if err != nil {
		return err
	}
	f := &trigger.File{Name: name, URL: string(a.o.FileURL(nil, name)), Size: -1}
	if err := triggers.run(trigger.BeforeDelete, f); err != nil {
		return err
	}
	err = a.o.Files.Delete(c.ctx, name)
	if err == nil {
		return triggers.run(trigger.AfterDelete, f)
	}
	if !errors.Is(err, files.ErrNotFound) && c.ctx.Err() == nil {
		a.o.Logger.Error("cannot delete a file", "error", err)
	}
	return parseerror.New(parseerror.FileDeleteError, "Could not delete file.")
}

// json is the answer to the upload.
func (s *saved) json() []byte {
	out := append([]byte(`{"url":"`), s.url...)
	out = append(out, `","name":`...)
	return append(query.AppendString(out, s.name), '}')
}
