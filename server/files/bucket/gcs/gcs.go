// Package gcs is the driver of Google Cloud Storage for gocloud.dev/blob. The library's own reaches the store by a client that
// brings gRPC and its service mesh along, 25 MB of it; this one speaks the JSON API over HTTP.
//
// It has what a store of files needs: objects are read, written and deleted, not listed, copied or signed.
package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"
)

// OpenBucket returns a bucket of the service. Every object written gets the predefined access control list, if that isn't "".
func OpenBucket(s *storage.Service, name, acl string) *blob.Bucket {
	return blob.NewBucket(&bucket{objects: s.Objects, name: name, acl: acl})
}

// NoBucket reports whether an error says that the bucket isn't there, not the object.
func NoBucket(err error) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == http.StatusNotFound && strings.Contains(strings.ToLower(e.Message), "bucket")
}

var errUnsupported = errors.New("this driver doesn't do that")

type bucket struct {
	objects *storage.ObjectsService
	name    string
	acl     string
}

// ErrorCode implements driver.Bucket.
func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	var e *googleapi.Error
	switch {
	case errors.Is(err, errUnsupported):
		return gcerrors.Unimplemented
	case !errors.As(err, &e):
		return gcerrors.Unknown
	}
	switch e.Code {
	case http.StatusNotFound:
		return gcerrors.NotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return gcerrors.PermissionDenied
	case http.StatusPreconditionFailed:
		return gcerrors.FailedPrecondition
	case http.StatusTooManyRequests:
		return gcerrors.ResourceExhausted
	}
	return gcerrors.Unknown
}

// As implements driver.Bucket.
func (b *bucket) As(i any) bool {
	p, ok := i.(**storage.ObjectsService)
	if ok {
		*p = b.objects
	}
	return ok
}

// ErrorAs implements driver.Bucket.
func (b *bucket) ErrorAs(err error, i any) bool { return errors.As(err, i) }

// Attributes implements driver.Bucket.
func (b *bucket) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	o, err := b.objects.Get(b.name, key).Context(ctx).Do()
	if err != nil {
		return nil, err
	}
	a := &driver.Attributes{
		CacheControl: o.CacheControl, ContentDisposition: o.ContentDisposition, ContentEncoding: o.ContentEncoding,
		ContentLanguage: o.ContentLanguage, ContentType: o.ContentType, Metadata: o.Metadata, Size: int64(o.Size), //nolint:gosec // no object is that large
		ETag: strconv.Quote(o.Etag),
	}
	if a.ModTime, err = time.Parse(time.RFC3339, o.Updated); err != nil {
		return nil, fmt.Errorf("the object has no time: %w", err)
	}
	return a, nil
}

// NewRangeReader implements driver.Bucket.
func (b *bucket) NewRangeReader(ctx context.Context, key string, offset, length int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	if length == 0 {
		a, err := b.Attributes(ctx, key)
		if err != nil {
			return nil, err
		}
		return &reader{http.NoBody, driver.ReaderAttributes{ContentType: a.ContentType, ModTime: a.ModTime, Size: a.Size}}, nil
	}
	call := b.objects.Get(b.name, key).Context(ctx)
	if length > 0 {
		call.Header().Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	} else if offset > 0 {
		call.Header().Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	res, err := call.Download()
	if err != nil {
		return nil, err
	}
	r := &reader{res.Body, driver.ReaderAttributes{ContentType: res.Header.Get("Content-Type"), Size: res.ContentLength}}
	if _, whole, ok := strings.Cut(res.Header.Get("Content-Range"), "/"); ok {
		if r.attributes.Size, err = strconv.ParseInt(whole, 10, 64); err != nil {
			return nil, errors.Join(fmt.Errorf("the object has no size: %w", err), res.Body.Close())
		}
	}
	r.attributes.ModTime, _ = http.ParseTime(res.Header.Get("Last-Modified"))
	return r, nil
}

type reader struct {
	io.ReadCloser
	attributes driver.ReaderAttributes
}

// Attributes implements driver.Reader.
func (r *reader) Attributes() *driver.ReaderAttributes { return &r.attributes }

// As implements driver.Reader.
func (r *reader) As(any) bool { return false }

// NewTypedWriter implements driver.Bucket.
func (b *bucket) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if o.BeforeWrite != nil {
		if err := o.BeforeWrite(func(any) bool { return false }); err != nil {
			return nil, err
		}
	}
	r, w := io.Pipe()
	object := &storage.Object{
		Name: key, ContentType: contentType, CacheControl: o.CacheControl, ContentDisposition: o.ContentDisposition,
		ContentEncoding: o.ContentEncoding, ContentLanguage: o.ContentLanguage, Metadata: o.Metadata,
	}
	part := o.BufferSize
	if part == 0 {
		part = googleapi.DefaultUploadChunkSize
	}
	call := b.objects.Insert(b.name, object).Context(ctx)
	if b.acl != "" {
		call = call.PredefinedAcl(b.acl)
	}
	if o.IfNotExist {
		call = call.IfGenerationMatch(0)
	}
	written := &writer{PipeWriter: w, ctx: ctx, done: make(chan struct{})}
	go func() {
		defer close(written.done)
		// Media waits for the first part.
		_, written.err = call.Media(r, googleapi.ChunkSize(part), googleapi.ContentType(contentType)).Do()
		// Whoever writes on learns why nobody reads.
		r.CloseWithError(errors.Join(written.err, io.ErrClosedPipe))
	}()
	return written, nil
}

type writer struct {
	*io.PipeWriter
	ctx  context.Context
	done chan struct{}
	err  error // once done is closed
}

// Close implements driver.Writer.
func (w *writer) Close() error {
	// The end of the content makes the store keep it: that mustn't come after the context's end.
	_ = w.CloseWithError(w.ctx.Err())
	<-w.done
	return errors.Join(w.ctx.Err(), w.err)
}

// Delete implements driver.Bucket.
func (b *bucket) Delete(ctx context.Context, key string, _ *driver.DeleteOptions) error {
	return b.objects.Delete(b.name, key).Context(ctx).Do()
}

// ListPaged implements driver.Bucket.
func (b *bucket) ListPaged(context.Context, *driver.ListOptions) (*driver.ListPage, error) {
	return nil, errUnsupported
}

// Copy implements driver.Bucket.
func (b *bucket) Copy(context.Context, string, string, *driver.CopyOptions) error {
	return errUnsupported
}

// SignedURL implements driver.Bucket.
func (b *bucket) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errUnsupported
}

// Close implements driver.Bucket.
func (b *bucket) Close() error { return nil }
