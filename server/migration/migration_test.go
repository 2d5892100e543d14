package migration_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/migration"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/postgres"
	"github.com/parsescale/parsescale/server/storage/sqlite"
	"github.com/parsescale/parsescale/server/testservices"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// opener opens a database as one more worker does.
type opener func(t *testing.T) (storage.Store, *apptest.Recorder)

// onEveryStore runs f on each kind of store; fresh makes a new database.
func onEveryStore(t *testing.T, f func(t *testing.T, fresh func(*testing.T) opener)) {
	t.Run("sqlite", func(t *testing.T) {
		f(t, func(t *testing.T) opener {
			uri := "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "parse.db"))
			return func(t *testing.T) (storage.Store, *apptest.Recorder) {
				changes := &apptest.Recorder{}
				s, err := sqlite.Open(t.Context(), sqlite.Options{URI: uri, App: "app", Announcer: changes})
				return opened(t, s, err), changes
			}
		})
	})
	t.Run("postgres", func(t *testing.T) {
		server, databases := testservices.StartPostgreSQL(t), 0
		f(t, func(t *testing.T) opener {
			databases++
			uri := server.Database(t, fmt.Sprint("migration", databases))
			return func(t *testing.T) (storage.Store, *apptest.Recorder) {
				changes := &apptest.Recorder{}
				s, err := postgres.Open(t.Context(), postgres.Options{URI: uri, App: "app", Announcer: changes, Logger: slog.New(slog.DiscardHandler)})
				return opened(t, s, err), changes
			}
		})
	})
}

func opened(t *testing.T, s storage.Store, err error) storage.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// define reads definitions from pairs of a class's name and "fields | indexes | permissions".
func define(pairs ...string) []migration.Definition {
	var out []migration.Definition
	for p := range slices.Chunk(pairs, 2) {
		d := migration.Definition{ClassName: p[0]}
		for i, part := range strings.Split(p[1], "|") {
			if part = strings.TrimSpace(part); part != "" {
				*[]*[]byte{&d.Fields, &d.Indexes, &d.ClassLevelPermissions}[i] = []byte(part)
			}
		}
		out = append(out, d)
	}
	return out
}

// show describes a class: its own fields, indexes and who may find and add fields.
func show(t *testing.T, s storage.Store, name string) string {
	t.Helper()
	var out []byte
	err := s.Read(t.Context(), func(sn storage.Snapshot) error {
		all, err := sn.Schema(t.Context())
		if err != nil {
			return err
		}
		c := all.Class(name)
		if c == nil {
			out = []byte("none")
			return nil
		}
		out = nil
		for _, f := range c.FieldNames() {
			if slices.ContainsFunc(schema.Base(), func(b schema.Column) bool { return b.Name == f }) {
				continue
			}
			out = append(out, f+" "+c.Fields[f].String()...)
			if c.Fields[f].Required {
				out = append(out, '!')
			}
			if v := c.Fields[f].Default; v != nil {
				out = query.AppendJSON(append(out, '='), v)
			}
			out = append(out, ", "...)
		}
		out = append(out, '{')
		for i, n := range slices.Sorted(maps.Keys(c.Indexes)) {
			if i > 0 {
				out = append(out, ',')
			}
			out = query.AppendJSON(append(query.AppendString(out, n), ':'), c.Indexes[n])
		}
		out = append(out, '}')
		if c.Permissions == nil {
			out = append(out, " public"...)
			return nil
		}
		out = query.AppendJSON(append(out, " find "...), c.Permissions.Operations["find"])
		out = query.AppendJSON(append(out, " addField "...), c.Permissions.Operations["addField"])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestMigration(t *testing.T) {
	const before = `{"a":{"type":"String"},"b":{"type":"Number"},"u":{"type":"Pointer","targetClass":"_User"},"r":{"type":"Relation","targetClass":"_User"}} | {"ia":{"a":1},"ib":{"b":1}}`
	const id = `"_id_":{"_id":1}`
	table := []struct {
		name    string
		options migration.Options
		want    map[string]string
		warns   []string
		err     string
	}{
		{
			name: "nothing is defined", options: migration.Options{},
			want: map[string]string{
				"Old":      `a String, b Number, r Relation<_User>, u Pointer<_User>, {` + id + `,"ia":{"a":1},"ib":{"b":1}} find {"*":true} addField {}`,
				"_Session": `createdWith Object, expiresAt Date, installationId String, sessionToken String, user Pointer<_User>, {` + id + `} find {"*":true} addField {}`,
			},
		},
		{
			name: "fields and classes are added, nothing is dropped but indexes",
			options: migration.Options{Strict: true, Definitions: define(
				"Old", `{"a":{"type":"String","required":true},"b":{"type":"String"},"n":{"type":"Number","defaultValue":3}} | {"ia":{"a":1,"b":1}} | {"find":{"*":true},"addField":{"*":true}}`,
				"New", `{"p":{"type":"Pointer","targetClass":"Old","required":true},"d":{"type":"Date","defaultValue":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}},"rel":{"type":"Relation","targetClass":"Old"}} | {"in":{"p":1}}`,
				"_User", `{"phone":{"type":"String"},"username":{"type":"Number"}} | {"username_1":{"username":1}} | {"find":{"*":true}}`,
			)},
			want: map[string]string{
				"Old":   `a String!, b Number, n Number=3, r Relation<_User>, u Pointer<_User>, {` + id + `,"ia":{"a":1,"b":1}} find {"*":true} addField {}`,
				"New":   `d Date={"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}, p Pointer<Old>!, rel Relation<Old>, {` + id + `,"in":{"p":1}} find {} addField {}`,
				"_User": `authData Object, email String, emailVerified Boolean, password String, phone String, username String, {` + id + `} find {"*":true} addField {}`,
			},
			warns: []string{
				`The field \"b\" type differ between the schema and the database for \"Old\"; Schema is defined as \"String\" and current database type is \"Number\"`,
				`The following fields exist in the database for \"Old\", but are missing in the schema : \"r\" ,\"u\"`,
				`The following schemas are currently present in the database, but not explicitly defined in a schema: \"Other\"`,
				`classLevelPermissions not provided for New.`,
			},
		},
		{
			name: "what isn't defined is dropped, what is another type is made anew",
			options: migration.Options{DeleteExtraFields: true, RecreateModifiedFields: true, Definitions: define(
				"Old", `{"b":{"type":"String"},"r":{"type":"Relation","targetClass":"Old"}} | {"ib":{"b":1}}`,
			)},
			want: map[string]string{"Old": `b String, r Relation<Old>, {` + id + `,"ib":{"b":1}} find {} addField {}`},
		},
		{
			name:    "indexes are kept",
			options: migration.Options{KeepUnknownIndexes: true, Definitions: define("Old", `{"a":{"type":"String"}}`)},
			want:    map[string]string{"Old": `a String, b Number, r Relation<_User>, u Pointer<_User>, {` + id + `,"ia":{"a":1},"ib":{"b":1}} find {} addField {}`},
		},
		{
			name: "one mistake undoes everything",
			options: migration.Options{Definitions: define(
				"New", `{"x":{"type":"String"}}`, "Old", `{"n":{"type":"Number","defaultValue":"three"}}`,
			)},
			err: "cannot migrate the schema: class Old: schema mismatch for Old.n default value; expected Number but got String",
			want: map[string]string{
				"New": "none",
				"Old": `a String, b Number, r Relation<_User>, u Pointer<_User>, {` + id + `,"ia":{"a":1},"ib":{"b":1}} public`,
			},
		},
	}
	onEveryStore(t, func(t *testing.T, fresh func(*testing.T) opener) {
		for _, tt := range table {
			t.Run(tt.name, func(t *testing.T) {
				open := fresh(t)
				s, changes := open(t)
				p := classes.New(s, classes.Options{})
				for name, d := range map[string]migration.Definition{"Old": define("", before)[0], "Other": {}} {
					if _, err := p.Create(t.Context(), name, classes.Definition{Fields: d.Fields, Indexes: d.Indexes}, ""); err != nil {
						t.Fatal(err)
					}
				}
				changes.Take()
				var log bytes.Buffer
				tt.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
				err := migration.Run(t.Context(), p, tt.options)
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Fatalf("%v, want %q", err, tt.err)
				}
				for class, want := range tt.want {
					if got := show(t, s, class); got != want {
						t.Errorf("class %s is\n%s, want\n%s", class, got, want)
					}
				}
				for _, w := range tt.warns {
					if !strings.Contains(log.String(), w) {
						t.Errorf("no warning %s in\n%s", w, log.String())
					}
				}
				if n := strings.Count(log.String(), "\n"); n != len(tt.warns) && tt.options.Strict {
					t.Errorf("%d warnings:\n%s", n, log.String())
				}
				got := changes.Take()
				if err != nil {
					if len(got) > 0 {
						t.Errorf("what failed was announced: %v", got)
					}
					return
				}
				if len(got) == 0 || slices.ContainsFunc(got, func(c change.Change) bool { return c.Kind != change.Schema && c.Kind != change.Purge }) {
					t.Errorf("announced: %v", got)
				}
				// Again, by another worker: there is nothing left to do.
				again, more := open(t)
				if err := migration.Run(t.Context(), classes.New(again, classes.Options{}), tt.options); err != nil {
					t.Fatal(err)
				}
				if got := more.Take(); len(got) > 0 {
					t.Errorf("a second migration changes %v", got)
				}
			})
		}
	})
}

func TestRefused(t *testing.T) {
	a := apptest.New(t, nil)
	for _, tt := range []struct {
		name        string
		definitions []migration.Definition
		err         string
	}{
		{name: "a bad class name", definitions: define("1x", `{}`), err: "Invalid classname: 1x"},
		{name: "no class name", definitions: define("", `{}`), err: "definition 0: it has no className"},
		{name: "one class twice", definitions: define("A", `{}`, "A", `{}`), err: "class A: it is defined twice"},
		{name: "a bad type", definitions: define("A", `{"x":{"type":"Text"}}`), err: "invalid field type: Text"},
		{name: "a bad permission", definitions: define("A", `| | {"look":{}}`), err: "look is not a valid operation for class level permissions"},
		{name: "an unknown member", definitions: define("A", `{"x":{"type":"String","unique":true}}`), err: `class A: field x: unknown member "unique"`},
		{name: "an index of no field", definitions: define("A", `{} | {"i":{"x":1}}`), err: "Field x does not exist, cannot add index."},
		{name: "fields that are a list", definitions: define("A", `[1]`), err: "class A: fields is not an object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := migration.Run(t.Context(), classes.New(a.Store, classes.Options{}), migration.Options{Definitions: tt.definitions, Logger: slog.New(slog.DiscardHandler)})
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v, want %q", err, tt.err)
			}
			if got := a.Changes.Take(); len(got) > 0 {
				t.Errorf("announced: %v", got)
			}
		})
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add("A", []byte(`{"x":{"type":"Pointer","targetClass":"A","required":true},"n":{"type":"Number","defaultValue":1}}`), []byte(`{"i":{"x":1}}`), []byte(`{"find":{"pointerFields":["x"]}}`))
	f.Add("_User", []byte(`{"username":{"type":"Number"}}`), []byte(`null`), []byte(`{"protectedFields":{"*":["email"]}}`))
	a := apptest.New(f, nil)
	p := classes.New(a.Store, classes.Options{})
	f.Fuzz(func(t *testing.T, class string, fields, indexes, permissions []byte) {
		o := migration.Options{
			DeleteExtraFields: true, RecreateModifiedFields: true, Logger: slog.New(slog.DiscardHandler),
			Definitions: []migration.Definition{{ClassName: class, Fields: fields, Indexes: indexes, ClassLevelPermissions: permissions}},
		}
		if err := migration.Run(t.Context(), p, o); err != nil {
			if e := parseerror.From(err); e != nil && e.Internal() && !strings.HasPrefix(err.Error(), "cannot migrate the schema: class") && !strings.HasPrefix(err.Error(), "cannot migrate the schema: definition") {
				t.Fatal(err)
			}
			return
		}
		a.Changes.Take()
		if err := migration.Run(t.Context(), p, o); err != nil {
			t.Fatalf("again: %v", err)
		}
		if got := a.Changes.Take(); len(got) > 0 {
			t.Errorf("a second migration changes %v", got)
		}
	})
}

// TestWorkersThatStartAtOnce: each finds the classes as defined, and none of them loses what another one added.
func TestWorkersThatStartAtOnce(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fresh func(*testing.T) opener) {
		open := fresh(t)
		o := migration.Options{DeleteExtraFields: true, Logger: slog.New(slog.DiscardHandler), Definitions: define(
			"A", `{"x":{"type":"String"},"r":{"type":"Relation","targetClass":"B"}} | {"ix":{"x":1}} | {"find":{"*":true}}`, "B", `{"y":{"type":"Number","required":true}}`,
		)}
		first, _ := open(t)
		var wg sync.WaitGroup
		for range 4 {
			s, _ := open(t)
			wg.Go(func() {
				if err := migration.Run(t.Context(), classes.New(s, classes.Options{}), o); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got, want := show(t, first, "A"), `r Relation<B>, x String, {"_id_":{"_id":1},"ix":{"x":1}} find {"*":true} addField {}`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}
