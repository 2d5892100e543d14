package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/files"
	"github.com/parsescale/parsescale/server/logs"
	"github.com/parsescale/parsescale/server/pages"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/write"
)

// Reader is the read path.
type Reader interface {
	Find(ctx context.Context, c auth.Caller, q *query.Query) (*read.Result, error)
	// Get may return a Result without a body together with an error: what the error depends on.
	Get(ctx context.Context, c auth.Caller, class, objectID string, q *query.Query) (*read.Result, error)
}

// Analyst is what the read path says of many objects at once.
type Analyst interface {
	Aggregate(ctx context.Context, c auth.Caller, q *read.Aggregation) (*read.Result, error)
	// Refine asks the app's code about an aggregation: it returns the parameters that it leaves, or its own answer.
	Refine(ctx context.Context, c auth.Caller, class string, params query.Params) (query.Params, *read.Result, error)
	Distinct(ctx context.Context, c auth.Caller, class string, path query.Path, where query.Expr) (*read.Result, error)
}

// Writer is the write path. id is the write id; "" means none.
type Writer interface {
	Create(ctx context.Context, c auth.Caller, class string, body []byte, id string) (*write.Result, error)
	Update(ctx context.Context, c auth.Caller, class, objectID string, body []byte, id string) (*write.Result, error)
	Delete(ctx context.Context, c auth.Caller, class, objectID string, id string) (*write.Result, error)
	// Ask does before a transaction what takes too long within it: it asks the app's code, and auth providers, about a write,
	// and hashes passwords. op is create, update or delete.
	Ask(ctx context.Context, c auth.Caller, op, class, objectID string, body []byte) (*write.Asked, error)
}

// Keeper keeps the caller's request id, and refuses one that is kept already.
type Keeper interface {
	Once(ctx context.Context, c auth.Caller) error
}

// ConfigWriter changes the app's parameters.
type ConfigWriter interface {
	PutConfig(ctx context.Context, c auth.Caller, params, masterKeyOnly *query.Object, id string) (*write.Result, error)
}

// Options is what an API is made of.
type Options struct {
	Config *config.Options
	Reader Reader
	Writer Writer
	Users  *users.Users
	// Cloud has the app's functions.
	Cloud *cloud.Cloud
	// Once keeps the ids of requests that must be done once.
	Once Keeper
	// Configs changes the app's parameters.
	Configs ConfigWriter
	// Analytics takes events; nil: nobody does.
	Analytics Analytics
	// Log has the last entries of the log; nil: none are kept.
	Log *logs.Ring
	// Analyst answers aggregations.
	Analyst Analyst
	// Classes changes the schema.
	Classes *classes.Path
	// Store serves what needs no path of its own: sessions of requests without data, schemas.
	Store storage.Store
	// Files keeps uploaded files.
	Files FileStore
	// FileURL appends the URL of a stored file, safe within a JSON string.
	FileURL func(dst []byte, name string) []byte
	// FileURLsLast is how long the URLs that FileURL appends lead to the files. 0: for good.
	FileURLsLast time.Duration
	// Denied refuses metadata and tags of files that hold forbidden keywords.
	Denied func(values map[string]any) error
	// Pages are the pages that links in mail lead to; nil: there are none.
	Pages *pages.Pages
	// Gateway says that requests come from the gateway over a private socket: its X-Parsescale-* fields are believed.
	Gateway bool
	// State is "ok", or what /health says instead: "initialized", "starting", "error".
	State  func() string
	Logger *slog.Logger
}

// API answers the REST API's requests. It is an http.Handler, safe for concurrent use.
type API struct {
	o          Options
	keys       *keys
	cors       cors
	filter     *files.Filter
	router     router
	complexity complexity
	requestIDs requestIDs
	allowed    allowList
	limits     []*rateLimit
	limit      int64 // of a body, in bytes
	mount      string
	// prefixes are the paths that sub-requests of a batch may start with, beside the one the batch came by.
	prefixes []string
	// uploads bounds the uploads that are put aside at a time.
	uploads *uploadRoom
}

// New makes the API. The options must have been checked.
func New(o Options) (*API, error) {
	k, err := newKeys(o.Config)
	if err != nil {
		return nil, err
	}
	filter, err := files.NewFilter(o.Config.FileUpload.FileExtensions)
	if err != nil {
		return nil, err
	}
	a := &API{
		o: o, keys: k, cors: newCORS(o.Config.AllowOrigin, o.Config.AllowHeaders), filter: filter,
		complexity: complexity(o.Config.RequestComplexity), limit: int64(o.Config.MaxUploadSize), mount: strings.TrimRight(o.Config.MountPath, "/"),
		uploads: newUploadRoom(maxUploadsAside),
	}
	for _, s := range []string{o.Config.ServerURL, o.Config.PublicServerURL} {
		if u, err := url.Parse(s); err == nil && s != "" {
			a.prefixes = append(a.prefixes, strings.TrimRight(u.EscapedPath(), "/"))
		}
	}
	if a.requestIDs, err = newRequestIDs(o.Config.IdempotencyOptions); err != nil {
		return nil, err
	}
	if a.allowed, err = newAllowList(o.Config); err != nil {
		return nil, err
	}
	if err := a.openRateLimits(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.routes()
	return a, nil
}
