package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/parsescale/parsescale/server/files"
)

const (
	// partSize is how much of a file is sent at a time, in bytes: the least that S3 takes as a part. Two parts are on their
	// way at most, so that an upload takes 10 to 15 MB of memory however large it is.
	partSize    = 5 << 20
	partsAtOnce = 2
	// dialTimeout bounds the making of a connection.
	dialTimeout = 10 * time.Second
	// defaultPatience is how long a store may take to say anything.
	defaultPatience = 30 * time.Second
	// tidying bounds the deletion of what a failed upload may have left.
	tidying = 2 * time.Second
	// endings is how many times that long the end of an upload may take, when the store puts the parts together.
	endings = 4
)

// provider is what differs between the stores.
type provider interface {
	// write adds to the options of an upload what the portable ones lack.
	write(o *blob.WriterOptions, p files.Properties)
	// follow watches an upload; tidy removes what one that failed has left of itself.
	follow(ctx context.Context) (watched context.Context, tidy func(ctx context.Context, key string))
	// read takes metadata and tags from an object's attributes.
	read(ctx context.Context, key string, a *blob.Attributes, p *files.Properties) error
	// prepare makes sure that the bucket is there. It is called before uploads, until it succeeds.
	prepare(ctx context.Context) error
	// absent says whether the error that an object isn't there is about the object, not the bucket or the network.
	absent(ctx context.Context, err error) bool
}

// Store is a bucket of files. All methods are safe for concurrent use.
type Store struct {
	bucket   *blob.Bucket
	provider provider
	prefix   string
	patience time.Duration
	idle     func() // closes connections that nobody uses
	address  string // of a container of Azure

	// tidies says that the driver ends an upload by itself when the content can't be read. Any other is to be cancelled then.
	tidies bool

	mu       sync.Mutex
	prepared bool
}

// newClient returns the HTTP client for a store.
func newClient(patience time.Duration) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert,errcheck // the standard library's is one
	limited(patience)(t)
	return &http.Client{Transport: t}
}

// limited bounds how long a store is waited for.
func limited(patience time.Duration) func(*http.Transport) {
	return func(t *http.Transport) {
		t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
		t.ResponseHeaderTimeout = patience
		t.MaxIdleConnsPerHost = 16
		t.DisableCompression = true // ranges and sizes are those of what is stored
	}
}

func patienceOr(d time.Duration) time.Duration {
	if d <= 0 {
		return defaultPatience
	}
	return d
}

// Close lets go of the store.
func (s *Store) Close() error {
	err := s.bucket.Close()
	s.idle()
	return err
}

// Create stores what r holds, at most limit bytes, under the name. The object appears whole or not at all; one that is there
// already is replaced.
func (s *Store) Create(ctx context.Context, name string, r io.Reader, limit int64, p files.Properties) error {
	if err := files.CheckStored(name); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("cannot use the bucket: %w", err)
	}
	caller := ctx
	ctx, tidy := s.provider.follow(caller)
	if s.tidies {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if s.tidies {
		// A failed read ends the upload in good order; a caller who is gone has some time for that.
		defer context.AfterFunc(caller, func() { time.AfterFunc(tidying, func() { cancel(caller.Err()) }) })()
	}
	o := &blob.WriterOptions{
		ContentType: p.ContentType, BufferSize: partSize, MaxConcurrency: partsAtOnce, DisableContentTypeDetection: true,
	}
	if o.ContentType == "" {
		o.ContentType = "application/octet-stream"
	}
	s.provider.write(o, p)
	from := &source{caller: caller, from: r, left: limit, fail: cancel, waiting: &impatient{patience: s.patience, cancel: cancel}}
	if s.tidies {
		from.fail = func(error) {}
	}
	defer from.waiting.end()
	from.waiting.begin()
	err := s.bucket.Upload(ctx, s.prefix+name, from, o)
	if err == nil {
		return nil
	}
	s.discard(ctx, name, tidy, p.Unique && from.failed == nil)
	if from.failed != nil {
		err = from.failed
	}
	return fmt.Errorf("cannot store the file: %w", causeOf(ctx, err))
}

// discard deletes what a failed upload may have left. That is the whole file where the store kept it and only its answer got
// lost: it goes too if nobody else may have stored one under the name.
func (s *Store) discard(ctx context.Context, name string, tidy func(context.Context, string), whole bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(s.patience, tidying))
	defer cancel()
	tidy(ctx, s.prefix+name)
	if whole {
		_ = s.bucket.Delete(ctx, s.prefix+name) // mostly there is nothing
	}
}

// prepare makes sure once that the bucket is there.
func (s *Store) prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.prepared {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if err := s.provider.prepare(ctx); err != nil {
		return err
	}
	s.prepared = true
	return nil
}

// Open opens a file. Nothing of its content is asked for before it is read.
func (s *Store) Open(ctx context.Context, name string, part files.Span) (*files.File, error) {
	a, err := s.attributes(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &content{s: s, ctx: ctx, key: s.prefix + name, size: a.Size, modified: a.ModTime, part: part}
	f := &files.File{ReadSeekCloser: c, Size: a.Size, Modified: a.ModTime, ETag: a.ETag}
	if n := len(f.ETag); n < 2 || f.ETag[0] != '"' || f.ETag[n-1] != '"' {
		f.ETag = ""
		if n > 0 && a.ETag[0] != 'W' {
			f.ETag = `"` + a.ETag + `"`
		}
	}
	return f, nil
}

func (s *Store) attributes(ctx context.Context, name string) (*blob.Attributes, error) {
	if err := files.CheckStored(name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	a, err := s.bucket.Attributes(ctx, s.prefix+name)
	if err != nil {
		return nil, s.missing(ctx, "cannot open the file", err)
	}
	return a, nil
}

// Properties tells what is kept beside a file's content.
func (s *Store) Properties(ctx context.Context, name string) (*files.Properties, error) {
	a, err := s.attributes(ctx, name)
	if err != nil {
		return nil, err
	}
	p := &files.Properties{ContentType: a.ContentType, Metadata: map[string]any{}, Tags: map[string]any{}}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if err := s.provider.read(ctx, s.prefix+name, a, p); err != nil {
		return nil, fmt.Errorf("cannot read the file's metadata: %w", err)
	}
	return p, nil
}

// Delete removes a file.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := files.CheckStored(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if err := s.bucket.Delete(ctx, s.prefix+name); err != nil {
		return s.missing(ctx, "cannot delete the file", err)
	}
	return nil
}

// missing says whether an error means that there is no such file.
func (s *Store) missing(ctx context.Context, what string, err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound && s.provider.absent(ctx, err) {
		return files.ErrNotFound
	}
	return fmt.Errorf("%s: %w", what, err)
}

// causeOf prefers why a context was cancelled to the fact that it was.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return errors.Join(cause, err)
	}
	return err
}
