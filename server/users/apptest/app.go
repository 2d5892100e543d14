package apptest

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/postgres"
	"github.com/parsescale/parsescale/server/storage/sqlite"
	"github.com/parsescale/parsescale/server/testservices"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/users/password"
	"github.com/parsescale/parsescale/server/write"
)

// Options are the options of an App's parts.
type Options struct {
	Read  read.Options
	Write write.Options
	Users users.Options
}

// App is a store with everything on top.
type App struct {
	Store  storage.Store
	Reads  *read.Path
	Writes *write.Path
	Users  *users.Users
	// Changes are the changes that were announced and committed.
	Changes *Recorder
	t       testing.TB
	ctx     context.Context // the test's; a fuzz target may not ask for it again
	names   map[string]string
}

// New makes an App. Clients may create classes, unless configure says otherwise; it may be nil.
func New(t testing.TB, configure func(*Options)) *App {
	t.Helper()
	o := Options{Read: read.DefaultOptions(), Write: write.DefaultOptions(), Users: users.DefaultOptions()}
	o.Read.AllowClientClassCreation, o.Write.AllowClientClassCreation = true, true
	o.Read.FileURL = func(dst []byte, name string) []byte { return append(append(dst, "http://files/"...), name...) }
	if configure != nil {
		configure(&o)
	}
	var unique []string // providers; nil: anonymous
	if o.Write.Providers != nil {
		o.Read.AuthData, unique = o.Write.Providers, o.Write.Providers.Names()
	}
	changes := &Recorder{}
	store, err := openStore(t, changes, unique)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	pool := password.NewCheap(2, 1000)
	reads := read.New(store, o.Read)
	writes := write.New(store, reads, pool, o.Write)
	o.Users.Now, o.Users.Verification = o.Write.Now, o.Write.EmailVerification
	accounts := users.New(store, reads, writes, pool, o.Users)
	t.Cleanup(accounts.Close)
	return &App{
		Store: store, Reads: reads, Writes: writes, Changes: changes, t: t, ctx: t.Context(), names: map[string]string{},
		Users: accounts,
	}
}

// openStore opens an empty database of the kind that the tests are run with.
func openStore(t testing.TB, a storage.Announcer, providers []string) (storage.Store, error) {
	uri := testservices.DatabaseURI(t, filepath.Join(t.TempDir(), "parse.db"))
	if strings.HasPrefix(uri, "sqlite:") {
		return sqlite.Open(t.Context(), sqlite.Options{URI: uri, App: "app", Announcer: a, AuthProviders: providers})
	}
	return postgres.Open(t.Context(), postgres.Options{URI: uri, App: "app", Announcer: a, AuthProviders: providers})
}

// Recorder is a storage.Announcer that keeps what was committed.
type Recorder struct {
	mu   sync.Mutex
	kept []change.Change
}

// Prepare implements storage.Announcer.
func (r *Recorder) Prepare(_ context.Context, changes []change.Change) (func(bool), error) {
	return func(committed bool) {
		if committed {
			r.mu.Lock()
			r.kept = append(r.kept, changes...)
			r.mu.Unlock()
		}
	}, nil
}

// Take returns what was recorded since the last Take.
func (r *Recorder) Take() []change.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.kept
	r.kept = nil
	return out
}

// Answer is what a request got.
type Answer struct {
	Status   int
	Body     string
	Location string
	// Reads and Rights are what a gateway is told: what the answer, and what the caller's rights depend on.
	Reads, Rights string
}

// Caller reads who asks: words of public, master, readonly, maintenance, installation=X, or a session token.
func Caller(who string) auth.Caller {
	var c auth.Caller
	for _, w := range strings.Fields(who) {
		switch {
		case w == "public":
		case w == "master":
			c.Master = true
		case w == "readonly":
			c.Master, c.ReadOnly = true, true
		case w == "maintenance":
			c.Maintenance = true
		case strings.HasPrefix(w, "installation="):
			c.InstallationID = w[len("installation="):]
		default:
			c.SessionToken = w
		}
	}
	return c
}

// Do does one request: "POST /classes/A", with a query string in the way of the REST API but not escaped, "PUT
// /users/id" and so on.
func (a *App) Do(who, request, body string) Answer {
	return a.DoID(who, request, body, "")
}

// DoID is Do with a write id.
func (a *App) DoID(who, request, body, id string) Answer {
	ctx, c := a.ctx, Caller(who)
	method, target, _ := strings.Cut(request, " ")
	path, params, _ := strings.Cut(target, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch parts[0] {
	case "users", "roles", "sessions":
		class := map[string]string{"users": schema.User, "roles": schema.Role, "sessions": schema.Session}[parts[0]]
		if len(parts) == 2 && parts[1] == "me" {
			if class == schema.Session {
				return wasRead(a.Users.CurrentSession(ctx, c))
			}
			return wasRead(a.Users.Me(ctx, c))
		}
		parts = append([]string{"classes", class}, parts[1:]...)
	case "login", "verifyPassword":
		l := logIn(body)
		if parts[0] == "login" {
			return written(a.Users.LogIn(ctx, c, l, id))
		}
		return written(a.Users.VerifyPassword(ctx, c, l))
	case "challenge":
		return written(a.Users.Challenge(ctx, c, users.Challenge{LogIn: logIn(body), ChallengeData: values(body)["challengeData"]}))
	case "logout":
		return written(a.Users.LogOut(ctx, c, id))
	case "upgradeToRevocableSession":
		return written(a.Users.Upgrade(ctx, c, id))
	case "requestPasswordReset":
		v := values(body)
		return written(a.Users.RequestReset(ctx, c, v["email"], v["token"], id))
	case "verificationEmailRequest":
		return written(a.Users.RequestVerification(ctx, c, values(body)["email"], id))
	case "loginAs":
		o, err := query.DecodeObject([]byte(body))
		if err != nil {
			a.t.Fatal(err)
		}
		userID, _ := o.Values["userId"].(string)
		return written(a.Users.LogInAs(ctx, c, userID, id))
	}
	class := parts[1]
	p := query.Params{}
	if params != "" {
		for _, kv := range strings.Split(params, "&") {
			k, v, _ := strings.Cut(kv, "=")
			if u, err := url.QueryUnescape(v); err == nil && !strings.ContainsAny(v, `{"`) {
				v = u
			}
			p[k] = query.Param{Text: v}
		}
	}
	limits := query.Limits{Privileged: c.Privileged()}
	switch {
	case method == "GET" && len(parts) == 2:
		q, err := query.ParseParams(class, p, limits)
		if err != nil {
			return failed(err)
		}
		return wasRead(a.Reads.Find(ctx, c, q))
	case method == "GET":
		q, err := query.ParseGetParams(class, p, limits)
		if err != nil {
			return failed(err)
		}
		return wasRead(a.Reads.Get(ctx, c, class, parts[2], q))
	case method == "POST":
		return written(a.Writes.Create(ctx, c, class, []byte(body), id))
	case method == "PUT":
		return written(a.Writes.Update(ctx, c, class, parts[2], []byte(body), id))
	case method == "DELETE":
		return written(a.Writes.Delete(ctx, c, class, parts[2], id))
	}
	a.t.Fatalf("no such request: %s", request)
	return Answer{}
}

func logIn(body string) users.LogIn {
	v := values(body)
	return users.LogIn{
		Username: v["username"], Email: v["email"], Password: v["password"], AuthData: v["authData"],
		IgnoreEmailVerification: v["ignoreEmailVerification"],
	}
}

func values(body string) map[string]any {
	o, err := query.DecodeObject([]byte(body))
	if err != nil {
		return nil
	}
	return o.Values
}

func wasRead(res *read.Result, err error) Answer {
	if err != nil {
		out := failed(err)
		if res != nil {
			out.Reads, out.Rights = res.Reads.String(), res.Reads.Rights()
		}
		return out
	}
	return Answer{Status: 200, Body: string(res.Body), Reads: res.Reads.String(), Rights: res.Reads.Rights()}
}

func written(res *write.Result, err error) Answer {
	if err != nil {
		return failed(err)
	}
	return Answer{Status: res.Status, Body: string(res.Body), Location: res.Location}
}

func failed(err error) Answer {
	e := parseerror.From(err)
	body := string(e.AppendBody(nil))
	if e.Internal() {
		body += " " + e.Error()
	}
	return Answer{Status: e.HTTPStatus(), Body: body}
}

// Permissions sets the class-level permissions of a class, given as the schema API takes them, and adds fields.
func (a *App) Permissions(class, permissions string, fields map[string]schema.Field) {
	a.t.Helper()
	v, err := query.Decode([]byte(permissions))
	if err != nil {
		a.t.Fatal(err)
	}
	_, _, err = a.Store.Write(a.ctx, "", func(tx storage.Tx) ([]byte, error) {
		c := schema.New(class, fields)
		c.Permissions = schema.PermissionsOf(v.(map[string]any))
		_, err := tx.PutClass(a.ctx, c)
		tx.Emit(change.Change{Class: class, Kind: change.Schema})
		return nil, err
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// Clock is a clock that tests move.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at the time of the call.
func NewClock() *Clock { return &Clock{now: time.Now().UTC()} }

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Read turns the outcome of a read into an Answer.
func Read(res *read.Result, err error) Answer { return wasRead(res, err) }

// With returns the users of the same store under other auth providers.
func (a *App) With(p *identity.Providers) *users.Users {
	reading, writing := read.DefaultOptions(), write.DefaultOptions()
	reading.AuthData, writing.Providers = p, p
	pool := password.NewCheap(2, 1000)
	reads := read.New(a.Store, reading)
	out := users.New(a.Store, reads, write.New(a.Store, reads, pool, writing), pool, users.DefaultOptions())
	a.t.Cleanup(out.Close)
	return out
}
