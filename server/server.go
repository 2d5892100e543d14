package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/builtin"
	"github.com/parsescale/parsescale/server/logs"
	"github.com/parsescale/parsescale/server/mail"
	"github.com/parsescale/parsescale/server/pages"
	"github.com/parsescale/parsescale/server/rest"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/users/password"
)

// Environment is what a worker is given by the process it lives in.
type Environment struct {
	// Logger gets warnings and failures; nil: slog.Default.
	Logger *slog.Logger
	// Announcer learns of every change before it is committed; nil: nobody does.
	Announcer storage.Announcer
	// Session is the name that connections to a database server have, where a gateway has claimed the database; "": one of
	// the worker's own.
	Session string
	// Cloud defines the app's functions in Go, on what it is given; nil: there are none.
	Cloud func(*cloud.Cloud) error
	// Analytics takes the events that apps report; nil: nobody does.
	Analytics rest.Analytics
	// MailAdapter sends mail in place of the one that the options name, which then set MailAdapterInCode; nil: that one.
	MailAdapter mail.Adapter
	// ValidPassword is passwordPolicy.validatorCallback: whether a password may be one. It is asked outside of
	// transactions, by several goroutines at a time. Nil: all may.
	ValidPassword func(password string) bool
	// Passwords hashes passwords; nil: bcrypt at parse-server's cost, in as many goroutines as leave reads their turn. Meant for
	// tests, which make many users.
	Passwords *password.Pool
	// AuthAdapters are auth providers by name, beside those that the option auth names, or in place of them.
	AuthAdapters map[string]identity.Adapter
	// AuthEndpoints are where the built-in auth providers are; zero: at their own addresses. Meant for tests and proxies.
	AuthEndpoints builtin.Endpoints
	// Gateway says that every request comes from the gateway over a private socket, so that its X-Parsescale-* header
	// fields are believed. Never set it where anybody else can connect.
	Gateway bool
}

// Server is one worker. It is an http.Handler, safe for concurrent use.
type Server struct {
	api     *rest.API
	store   storage.Store
	files   fileStore
	users   *users.Users
	postman *mail.Postman // nil: no mail is sent
	pages   *pages.Pages

	mu      sync.Mutex
	closing bool
	state   string
	running sync.WaitGroup
}

// New opens the database and the files folder that the options name. The options must come from package config, which
// has checked them.
func New(ctx context.Context, o *config.Options, env Environment) (*Server, error) {
	if env.Logger == nil {
		env.Logger = slog.Default()
	}
	ring := &logs.Ring{}
	env.Logger = slog.New(ring.Handler(env.Logger.Handler()))
	s := &Server{state: "starting"}
	store, err := openStore(ctx, o, env)
	if err != nil {
		return nil, fmt.Errorf("cannot open the database: %w", err)
	}
	s.store = storage.Joined(store)
	var direct func(name, escaped string) string
	if s.files, direct, err = openFiles(ctx, o, env); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	fileURL := rest.FileURL(o, direct)
	if s.postman, err = openMail(o, env); err != nil {
		return nil, errors.Join(err, s.files.Close(), s.store.Close())
	}
	functions := cloud.New(s.store, string(o.WebhookKey), env.Logger)
	paths, err := newPaths(o, s.store, env, s.postman, fileURL, functions)
	if err != nil {
		return nil, errors.Join(err, s.closeAll(ctx))
	}
	s.users = paths.users
	if err := migrate(ctx, o, env, paths.classes); err != nil {
		return nil, errors.Join(err, s.closeAll(ctx))
	}
	if err = functions.CheckTriggers(ctx); err == nil && env.Cloud != nil {
		err = env.Cloud(functions)
	}
	if err != nil {
		return nil, errors.Join(err, s.closeAll(ctx))
	}
	if s.pages, err = openPages(o, env, s.users); err != nil {
		return nil, errors.Join(err, s.closeAll(ctx))
	}
	s.api, err = rest.New(rest.Options{
		Config: o, Reader: paths.read, Analyst: paths.read, Writer: paths.write, Users: paths.users, Classes: paths.classes, Cloud: functions, Once: paths.write, Configs: paths.write, Analytics: env.Analytics, Log: ring, Store: s.store, Files: s.files, FileURL: fileURL, FileURLsLast: fileURLsLast(o), Denied: paths.write.Denied, Pages: s.pages,
		Gateway: env.Gateway, State: s.taken, Logger: env.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, s.closeAll(ctx))
	}
	s.mu.Lock()
	s.state = "ok"
	s.mu.Unlock()
	return s, nil
}

// State is "ok" as long as the server takes requests, "starting" before and "error" after that.
func (s *Server) State() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return "error"
	}
	return s.state
}

// taken is the state for requests that were taken: they are served to their end.
func (s *Server) taken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// ServeHTTP implements http.Handler. After Close it refuses.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"code":1,"error":"The server is stopping."}`))
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	s.api.ServeHTTP(w, r)
}

// Close refuses new requests, waits for those that run, or for the context, and closes the database.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	s.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		s.running.Wait()
		close(idle)
	}()
	var late error
	select {
	case <-idle:
	case <-ctx.Done():
		late = fmt.Errorf("cannot wait for the requests that run: %w", ctx.Err())
	}
	return errors.Join(late, s.closeAll(ctx))
}

// closeAll ends what the server is made of, once no requests run. Mail that waits is sent as long as the context lasts.
func (s *Server) closeAll(ctx context.Context) error {
	if s.users != nil {
		s.users.Close()
	}
	if s.postman != nil {
		s.postman.Close(ctx)
	}
	var err error
	if s.pages != nil {
		err = s.pages.Close()
	}
	if s.api != nil {
		err = errors.Join(err, s.api.Close())
	}
	return errors.Join(err, s.store.Close(), s.files.Close())
}
