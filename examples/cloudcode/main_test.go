package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// TestCloudCode plays what the README says with the worker of this folder.
func TestCloudCode(t *testing.T) {
	o := config.Default()
	o.AppID, o.MasterKey, o.AllowClientClassCreation = "myAppId", "secret", true
	o.DatabaseURI = config.Secret("sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "parse.db")))
	o.FilesFolder = filepath.Join(t.TempDir(), "files")
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := server.New(t.Context(), o, server.Environment{Cloud: define, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	session := ""
	do := func(method, path, body, key, want string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, web.URL+"/parse"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Parse-Application-Id", "myAppId")
		req.Header.Set("X-Parse-Session-Token", session)
		req.Header.Set("X-Parse-Master-Key", key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s %s %s: %s, want %s; %v", method, path, body, data, want, err)
		}
		return string(data)
	}
	do("POST", "/functions/greet", `{"name":"Ann"}`, "", `Please login to continue.`)
	var user struct{ SessionToken string }
	if err := json.Unmarshal([]byte(do("POST", "/users", `{"username":"ann","password":"pw"}`, "", `"sessionToken"`)), &user); err != nil {
		t.Fatal(err)
	}
	session = user.SessionToken
	do("POST", "/functions/greet", `{}`, "", `Please specify data for name.`)
	do("POST", "/functions/greet", `{"name":"Ann"}`, "", `{"result":"Hello, Ann!"}`)
	do("POST", "/classes/Review", `{"stars":6}`, "", `Invalid option for stars. Expected: 1, 2, 3, 4, 5`)
	do("POST", "/classes/Review", `{"stars":5,"approved":true}`, "", `Only moderators approve reviews.`)
	var review struct{ ObjectID string }
	if err := json.Unmarshal([]byte(do("POST", "/classes/Review", `{"stars":5,"text":" fine "}`, "", `"text":"fine"`)), &review); err != nil {
		t.Fatal(err)
	}
	do("GET", "/classes/Review", ``, "", `{"results":[]}`)
	do("PUT", "/classes/Review/"+review.ObjectID, `{"approved":true}`, "secret", `"updatedAt"`)
	do("GET", "/classes/Review", ``, "", `"approved":true`)
	if !strings.Contains(log.String(), "a review was saved") {
		t.Errorf("the log is %s", log.String())
	}
}
