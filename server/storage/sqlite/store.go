package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/server/storage"
	driversqlite "modernc.org/sqlite"
)

// Options are what Open takes.
type Options struct {
	// URI is sqlite://relative/path.db or sqlite:///absolute/path.db. ?synchronous=normal gives up the last writes
	// in a power cut (not in a crash of the process) for speed. Required.
	URI string
	// App is the application's id, for the changes that are announced.
	App string
	// Announcer is told of every change before it is committed. Default none.
	Announcer storage.Announcer
	// AnnounceTimeout bounds how long the Announcer may take; the writes fail beyond. Default 10 s.
	AnnounceTimeout time.Duration
	// Readers is the most connections that read at the same time. Default four, or two a processor if that is more.
	Readers int
	// AuthProviders are the providers whose ids are unique among users. Default "anonymous".
	AuthProviders []string
	// GroupTime is for how long a group of writes that share a commit lets in more that wait. Default 5 ms.
	GroupTime time.Duration
	// WriteIDTTL is how long the result of a write with an id is kept. Default 5 minutes.
	WriteIDTTL time.Duration
	// Clock is the time. Default time.Now.
	Clock func() time.Time
}

func (o *Options) defaults() {
	if o.AnnounceTimeout == 0 {
		o.AnnounceTimeout = 10 * time.Second
	}
	if o.Readers <= 0 {
		o.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if o.AuthProviders == nil {
		o.AuthProviders = []string{"anonymous"}
	}
	if o.GroupTime == 0 {
		o.GroupTime = 5 * time.Millisecond
	}
	if o.WriteIDTTL == 0 {
		o.WriteIDTTL = 5 * time.Minute
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}

// Store is an app's database in a SQLite file.
type Store struct {
	options  Options
	location location
	driver   *driversqlite.Driver
	catalog  atomic.Pointer[catalog] // the newest one known
	turn     *turnstile
	claim    io.Closer // nil if an announcer's gateway has the claim

	queue      chan *write
	writerDone chan struct{}

	slots chan struct{} // one token for each reader that may run
	idle  struct {
		sync.Mutex
		conns []*conn // the one used last is at the end: its cache is warm
	}

	gate storage.Gate
}

var _ storage.Store = (*Store)(nil)

// Open opens the database, and creates its folder, its file and the system's tables when they aren't there. Several
// processes may do so at the same time.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.defaults()
	loc, err := parseURI(o.URI)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(loc.path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the folder of the database: %w", err)
	}
	// What fsync does beyond fdatasync is of no use to a database. Where there is no fdatasync, fsync stays.
	_, _ = driversqlite.Fdatasync(true)
	s := &Store{
		options: o, location: loc, driver: &driversqlite.Driver{},
		queue: make(chan *write, 1024), writerDone: make(chan struct{}), slots: make(chan struct{}, o.Readers),
	}
	if err := registerFunctions(s.driver); err != nil {
		return nil, err
	}
	if o.Announcer == nil {
		if s.claim, err = loc.claim(false, "a gateway runs workers on it, and its cache would miss what is written here; stop the gateway first, or send requests through it"); err != nil {
			return nil, err
		}
	}
	if s.turn, err = openTurnstile(loc.path); err != nil {
		s.unclaim()
		return nil, err
	}
	w, err := s.openWriter(ctx)
	if err != nil {
		s.turn.close()
		s.unclaim()
		return nil, err
	}
	go w.loop()
	return s, nil
}

// unclaim lets a gateway have the database.
func (s *Store) unclaim() {
	if s.claim != nil {
		_ = s.claim.Close()
	}
}

// openWriter prepares the file, one process at a time.
func (s *Store) openWriter(ctx context.Context) (*writer, error) {
	if err := s.turn.enter(); err != nil {
		return nil, err
	}
	defer s.turn.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Only a file that isn't there is opened: closing one would give up the locks this process has on it (POSIX).
	f, err := os.OpenFile(s.location.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		f.Close()
	case !errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("cannot create the database file: %w", err)
	}
	c, err := connect(s.driver, s.location.dsn("busy_timeout(10000)", "journal_mode(WAL)", "synchronous("+s.location.synchronous+")",
		"temp_store(MEMORY)", "cache_size(-16000)", "journal_size_limit(67108864)"))
	if err != nil {
		return nil, err
	}
	w := &writer{store: s, conn: c, now: s.options.Clock}
	if err := w.install(); err != nil {
		c.close()
		return nil, fmt.Errorf("cannot set up the database: %w", err)
	}
	return w, nil
}

// Close waits for what runs and closes the database.
func (s *Store) Close() error {
	if !s.gate.Close() {
		return nil
	}
	close(s.queue)
	<-s.writerDone
	s.unclaim()
	return nil
}

// remember keeps the catalog if it is newer than the one that is known.
func (s *Store) remember(c *catalog) {
	for {
		known := s.catalog.Load()
		if known != nil && known.schema.Version >= c.schema.Version || s.catalog.CompareAndSwap(known, c) {
			return
		}
	}
}

// at returns the catalog of the version that the snapshot of c has.
func (s *Store) at(c *conn, version uint64) (*catalog, error) {
	if known := s.catalog.Load(); known != nil && known.schema.Version == version {
		return known, nil
	}
	cat, err := loadCatalog(c, version)
	if err != nil {
		return nil, err
	}
	s.remember(cat)
	return cat, nil
}
