// Command floor is the least that a Parse worker could do: net/http, a pool of connections, the SQL of a get, a find and
// a create, and JSON appended by hand. No permissions beyond the ACL in the SQL, no schema, no cache, no checks. What a
// worker does beyond that is measured against it, see compare.sh.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// object is one row of the class that is measured.
type object struct {
	ID      string          `json:"-"`
	Created time.Time       `json:"-"`
	N       float64         `json:"n"`
	Kind    string          `json:"kind"`
	Title   string          `json:"title"`
	Sold    bool            `json:"sold"`
	Tags    json.RawMessage `json:"tags"`
	Nested  json.RawMessage `json:"nested"`
}

// store is a database with the one table that is measured.
type store interface {
	// get appends the object with the id; false when there is none.
	get(ctx context.Context, dst []byte, id string) ([]byte, bool, error)
	// find appends the objects of a kind, separated by commas.
	find(ctx context.Context, dst []byte, kind string, limit int) ([]byte, error)
	create(ctx context.Context, o *object) error
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	database := flag.String("database", "", "sqlite:///path or postgres://…; its table LoadTest is made if it isn't there")
	connections := flag.Int("connections", 8, "connections to the database")
	flag.Parse()
	if err := run(*listen, *database, *connections); err != nil {
		log.Fatal(err)
	}
}

func run(listen, database string, connections int) error {
	var s store
	var err error
	if path, ok := strings.CutPrefix(database, "sqlite://"); ok {
		s, err = openSQLite(path, connections)
	} else {
		s, err = openPostgres(context.Background(), database, connections)
	}
	if err != nil {
		return fmt.Errorf("cannot open the database: %w", err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	log.Printf("floor on http://%s", l.Addr())
	return http.Serve(l, handler{s}) //nolint:gosec // a yardstick on loopback
}

type handler struct{ store }

const class = "/parse/classes/LoadTest"

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var out []byte
	var err error
	status := http.StatusOK
	switch rest, ok := strings.CutPrefix(r.URL.Path, class); {
	case r.URL.Path == "/parse/health":
		out = []byte(`{"status":"ok"}`)
	case !ok:
		status, out = http.StatusNotFound, []byte(`{"error":"not found"}`)
	case r.Method == http.MethodPost:
		status = http.StatusCreated
		out, err = h.post(r)
	case rest == "":
		out, err = h.list(r)
	default:
		var found bool
		if out, found, err = h.get(r.Context(), make([]byte, 0, 512), rest[1:]); err == nil && !found {
			status, out = http.StatusNotFound, []byte(`{"code":101,"error":"Object not found."}`)
		}
	}
	if err != nil {
		log.Print(err)
		status, out = http.StatusInternalServerError, []byte(`{"code":1,"error":"Internal server error."}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	w.WriteHeader(status)
	_, _ = w.Write(out) // the client is gone
}

func (h handler) list(r *http.Request) ([]byte, error) {
	q := r.URL.Query()
	var where struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal([]byte(q.Get("where")), &where); err != nil {
		return nil, err
	}
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		return nil, err
	}
	out, err := h.find(r.Context(), append(make([]byte, 0, 32<<10), `{"results":[`...), where.Kind, limit)
	return append(out, `]}`...), err
}

func (h handler) post(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	o := &object{ID: newID(), Created: time.Now().UTC().Truncate(time.Millisecond)}
	if err := json.Unmarshal(body, o); err != nil {
		return nil, err
	}
	if err := h.create(r.Context(), o); err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, 96), `{"objectId":"`...)
	out = append(append(out, o.ID...), `","createdAt":"`...)
	return append(o.Created.AppendFormat(out, timeForm), `"}`...), nil
}

const timeForm = "2006-01-02T15:04:05.000Z"

func newID() string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [10]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand never fails
	}
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:])
}

// appendRow appends an object as the REST API shows it.
func appendRow(dst []byte, id string, created, updated time.Time, o *object) []byte {
	dst = append(append(dst, `{"objectId":"`...), id...)
	dst = created.AppendFormat(append(dst, `","createdAt":"`...), timeForm)
	dst = updated.AppendFormat(append(dst, `","updatedAt":"`...), timeForm)
	dst = strconv.AppendFloat(append(dst, `","n":`...), o.N, 'g', -1, 64)
	dst = appendText(append(dst, `,"kind":`...), o.Kind)
	dst = appendText(append(dst, `,"title":`...), o.Title)
	dst = strconv.AppendBool(append(dst, `,"sold":`...), o.Sold)
	dst = append(append(dst, `,"tags":`...), o.Tags...)
	dst = append(append(dst, `,"nested":`...), o.Nested...)
	return append(dst, '}')
}

// appendText appends a JSON string; the texts here need no escapes, others go the long way.
func appendText(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' {
			long, err := json.Marshal(s)
			if err != nil {
				return dst
			}
			return append(dst, long...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

var errNoRow = errors.New("no row")
