package schema

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/parsescale/parsescale/server/query"
)

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{"A": true, "a1_": true, "_User": true, "_Idempotency": true, "_Hooks": false, "_Foo": false, "1a": false, "a-b": false,
		"": false, "é": false, "length": false, "_Join:a:B": true, "_Join:users:_Role": true, "_Join:a": false, "_Join::B": false} {
		if ValidClassName(name) != valid {
			t.Errorf("class %q: valid is %v", name, !valid)
		}
	}
	for _, tt := range []struct {
		name, class string
		valid       bool
	}{{"a", "A", true}, {"a_1", "A", true}, {"_a", "A", false}, {"1a", "A", false}, {"a.b", "A", false}, {"", "A", false},
		{"length", "A", false}, {"className", "A", false}, {"className", "_Hooks", true}} {
		if ValidFieldName(tt.name, tt.class) != tt.valid {
			t.Errorf("field %q of %s: valid is %v", tt.name, tt.class, !tt.valid)
		}
	}
}

func TestErrors(t *testing.T) {
	number, text := Field{Type: Number}, Field{Type: String}
	for _, tt := range []struct {
		err     error
		code    int
		message string
	}{
		{CheckFieldName("1a", "A"), 105, "Invalid field name: 1a."},
		{CheckClassName("1a"), 107, "schema class name does not revalidate"},
		{CheckNewClass("1a"), 103, "Invalid classname: 1a, classnames can only have alphanumeric characters and _, and must start with an alpha character "},
		{text.Check("A", "s", number), 111, "schema mismatch for A.s; expected String but got Number"},
		{Field{Type: Pointer, TargetClass: "_User"}.Check("A", "p", Field{Type: Pointer, TargetClass: "B"}), 111, "schema mismatch for A.p; expected Pointer<_User> but got Pointer<B>"},
		{Field{Type: Relation, TargetClass: "A"}.Check("A", "r", text), 111, "schema mismatch for A.r; expected Relation<A> but got String"},
		{DefaultMismatch("C", "f", text, number), 111, "schema mismatch for C.f default value; expected String but got Number"},
		{CheckField(Field{Type: "Foo"}), 111, "invalid field type: Foo"},
		{CheckField(Field{Type: Pointer}), 135, "type Pointer needs a class name"},
	} {
		var e *query.Error
		if !errors.As(tt.err, &e) || e.Code != tt.code || e.Message != tt.message {
			t.Errorf("%v, want %d %s", tt.err, tt.code, tt.message)
		}
	}
	if err := errors.Join(CheckFieldName("a", "A"), CheckClassName("A"), CheckNewClass("A"), text.Check("A", "s", text), CheckField(number)); err != nil {
		t.Error(err)
	}
}

func TestInfer(t *testing.T) {
	for _, tt := range []struct {
		json string
		want string
	}{
		{`"x"`, "String"}, {`1`, "Number"}, {`true`, "Boolean"}, {`[]`, "Array"}, {`{}`, "Object"}, {`{"__type":"Foo"}`, "Object"},
		{`{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}`, "Date"}, {`{"__type":"Pointer","className":"A","objectId":"x"}`, "Pointer<A>"},
		{`{"__type":"Relation","className":"A"}`, "Relation<A>"}, {`{"__type":"File","name":"n"}`, "File"},
		{`{"__type":"GeoPoint","latitude":1,"longitude":2}`, "GeoPoint"}, {`{"__type":"Bytes","base64":""}`, "Bytes"},
		{`{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1]]}`, "Polygon"},
	} {
		v, err := query.Decode([]byte(tt.json))
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := Infer(v); !ok || f.String() != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.json, f, ok, tt.want)
		}
	}
	if _, ok := Infer(nil); ok {
		t.Error("null has a type")
	}
}

// TestStored: what parse-server wrote is read, and written again the same.
func TestStored(t *testing.T) {
	for _, tt := range []struct{ name, class, stored string }{
		{"parse-server's example", "GameScore", `{"fields":{"fans":{"type":"Relation","targetClass":"_User"},"owner":{"type":"Pointer","targetClass":"_User"},` +
			`"score":{"type":"Number","required":true,"defaultValue":0},"_rperm":{"type":"Array","contents":{"type":"String"}},"_wperm":{"type":"Array","contents":{"type":"String"}},` +
			`"objectId":{"type":"String"},"createdAt":{"type":"Date"},"updatedAt":{"type":"Date"}},` +
			`"indexes":{"_id_":{"_id":1},"byScore":{"score":1}},"className":"GameScore",` +
			`"classLevelPermissions":{"get":{},"find":{"*":true},"count":{},"create":{"role:A":true,"requiresAuthentication":true},"delete":{},"update":{"pointerFields":["owner"]},"addField":{},"readUserFields":["owner"],"protectedFields":{"*":["score"]}}}`},
		{"no permissions", "B", `{"fields":{"_rperm":{"type":"Array","contents":{"type":"String"}},"_wperm":{"type":"Array","contents":{"type":"String"}},` +
			`"objectId":{"type":"String"},"createdAt":{"type":"Date"},"updatedAt":{"type":"Date"}},"className":"B"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := DecodeStored(tt.class, []byte(tt.stored))
			if err != nil {
				t.Fatal(err)
			}
			again, err := query.Decode(c.AppendStored(nil))
			if err != nil {
				t.Fatal(err)
			}
			want, err := query.Decode([]byte(tt.stored))
			if err != nil {
				t.Fatal(err)
			}
			if !query.Equal(again, want) {
				t.Errorf("got  %s\nwant %s", c.AppendStored(nil), tt.stored)
			}
			if c.Fields["ACL"].Type != ACL {
				t.Error("there is no ACL")
			}
		})
	}
	for _, bad := range []string{``, `[]`, `{"fields":{"a":1}}`} {
		if _, err := DecodeStored("A", []byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestUserStoresTheHash(t *testing.T) {
	c := New(User, map[string]Field{"phone": {Type: String}})
	v, err := query.Decode(c.AppendStored(nil))
	if err != nil {
		t.Fatal(err)
	}
	fields := v.(map[string]any)["fields"].(map[string]any)
	if fields["password"] != nil || fields["ACL"] != nil || !query.Equal(fields["_hashed_password"], map[string]any{"type": "String"}) {
		t.Errorf("stored fields %v", fields)
	}
	back, err := DecodeStored(User, c.AppendStored(nil))
	if err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("read back %+v, %v\nwant %+v", back, err, c)
	}
	columns := c.Stored(nil)
	want := "[objectId createdAt updatedAt username email emailVerified authData phone _rperm _wperm _hashed_password _email_verify_token_expires_at _email_verify_token _account_lockout_expires_at " +
		"_failed_login_count _perishable_token _perishable_token_expires_at _password_changed_at _password_history]"
	if fmt.Sprint(columns) != want {
		t.Errorf("columns %v", columns)
	}
	c.Columns = columns
	for name, want := range map[string]Type{"_perishable_token_expires_at": Date, "phone": String, "_rperm": Array, "password": "", "nosuch": "", "ACL": ""} {
		if f, ok := c.Column(name); f.Type != want || ok != (want != "") {
			t.Errorf("column %s: %v, %v", name, f, ok)
		}
	}
}

func TestDefaults(t *testing.T) {
	for class, n := range map[string]int{User: 5, Installation: 13, Role: 3, Session: 5, Product: 7, "_PushStatus": 17, "_JobStatus": 6, "_JobSchedule": 8, Hooks: 4, GlobalConfig: 2, "_GraphQLConfig": 1, Audience: 4, Idempotency: 2, "A": 0} {
		if got := len(Default(class)); got != n {
			t.Errorf("%s has %d columns of its own, want %d", class, got, n)
		}
	}
	c := New(Role, nil)
	if f := c.Fields["users"]; f.String() != "Relation<_User>" {
		t.Errorf("users is %s", f)
	}
	p := Public()
	if !reflect.DeepEqual(PermissionsOf(p.Value()), p) {
		t.Errorf("public permissions read back: %+v", PermissionsOf(p.Value()))
	}
}

// FuzzDecodeStored: whatever a row of _SCHEMA holds, reading it doesn't panic, and what was read is written and read
// again the same.
func FuzzDecodeStored(f *testing.F) {
	for _, seed := range []string{`{}`, `{"fields":{"a":{"type":"Pointer","targetClass":"B"},"":{"type":"String"}}}`, `{"classLevelPermissions":{"find":1,"protectedFields":{"*":["a",1]},"ACL":{"*":{"read":true}}}}`, `{"indexes":{"a":{"b":1},"c":2}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		c, err := DecodeStored("A", []byte(stored))
		if err != nil {
			return
		}
		once := c.AppendStored(nil)
		back, err := DecodeStored("A", once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice := back.AppendStored(nil); string(twice) != string(once) {
			t.Errorf("%s became %s", once, twice)
		}
	})
}
