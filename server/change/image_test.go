package change

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

func TestNewImageLeavesOutSecrets(t *testing.T) {
	secret := []string{
		"_hashed_password", "_password_history", "_perishable_token", "_perishable_token_expires_at", "_email_verify_token",
		"_email_verify_token_expires_at", "_session_token", "_auth_data_facebook", "authData", "_failed_login_count", "_anything_new",
	}
	for _, class := range []string{"_User", "_Session", "Game"} {
		fields := map[string]any{"objectId": "a1", "username": "ada", "_rperm": []any{"*"}}
		names := slices.Clone(secret)
		if class != "Game" {
			names = append(names, "sessionToken")
		}
		if class == "_User" {
			names = append(names, "password")
		}
		for _, name := range names {
			fields[name] = "TOP-SECRET"
		}
		i := NewImage(class, fields)
		if want := (map[string]any{"objectId": "a1", "username": "ada", "_rperm": []any{"*"}}); !reflect.DeepEqual(i.Fields, want) {
			t.Errorf("%s: the image holds %v, want %v", class, i.Fields, want)
		}
		for _, name := range names {
			if _, known := i.Field(name); known {
				t.Errorf("%s: the image says it knows %s", class, name)
			}
		}
		f := Frame{Type: TypePrepare, ID: 1, Changes: []Change{{Class: class, ObjectID: "a1", Kind: Update, Before: i, After: i}}}
		wire, err := f.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(wire, []byte("TOP-SECRET")) {
			t.Errorf("%s: a secret goes over the wire", class)
		}
	}
}

func TestNewImage(t *testing.T) {
	if NewImage("Game", nil) != nil {
		t.Error("a missing object has an image")
	}
	fields := map[string]any{"objectId": "a1", "_auth_data_x": map[string]any{"id": "1"}, "password": "a game's own field", "sessionToken": "too"}
	i := NewImage("Game", fields, "players", "objectId")
	fields["objectId"] = "changed later"
	if v, known := i.Field("objectId"); v != "a1" || !known {
		t.Errorf("objectId is %v, %v", v, known)
	}
	for name, want := range map[string]bool{"players": false, "authData": false, "password": true, "sessionToken": true, "missing": true} {
		if _, known := i.Field(name); known != want {
			t.Errorf("%s is known: %v, want %v", name, known, want)
		}
	}
}
