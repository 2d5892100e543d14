package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingSecretIsLogged runs the default Caddyfile, with its site's access log turned on, through good and bad requests
// that hold keys, tokens, passwords and queries, in all the places where clients put them. None may be found in what the
// gateway and its workers logged, told about themselves, or passed to processes.
func TestNothingSecretIsLogged(t *testing.T) {
	const masterSecret, restSecret, scriptSecret = "MASTERSECRET0001", "RESTSECRET0002", "SCRIPTSECRET0003"
	const password, value, redisSecret = "PASSWORDSECRET0004", "VALUESECRET0005", "REDISSECRET0006"
	t.Setenv("PARSE_SERVER_MASTER_KEY", masterSecret)
	t.Setenv("PARSE_SERVER_REST_API_KEY", restSecret)
	t.Setenv("PARSE_SERVER_JAVASCRIPT_KEY", scriptSecret)
	t.Setenv("REDIS_URL", "redis://:"+redisSecret+"@127.0.0.1:1/0") // where nobody is
	text, err := os.ReadFile("../../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	caddyfile := strings.NewReplacer("{$PARSESCALE_ADMIN:localhost:2019}", "ADMIN", ":{$PORT:1337} {", "ADDRESS {\n\tlog",
		"parse /parse/*", "parse /parse/* {\n\t\trate_limit {\n\t\t\tdefault 10000/s\n\t\t\tredis exact\n\t\t}\n\t}",
		"option allowClientClassCreation", "option appName Shop\n\t\t\toption publicServerURL http://localhost/parse\n\t\t\toption allowClientClassCreation").Replace(string(text))
	if strings.Count(caddyfile, "ADDRESS {\n\tlog") != 1 || strings.Count(caddyfile, "admin ADMIN") != 1 {
		t.Fatal("the default Caddyfile isn't as this test knows it")
	}
	g := startGateway(t, caddyfile)
	send := func(method, path, body string, header ...string) string {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+g.address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	rest := []string{"X-Parse-Application-Id", "myAppId", "X-Parse-Rest-Api-Key", restSecret}
	with := func(more ...string) []string { return append(append([]string{}, rest...), more...) }
	_, token, _ := strings.Cut(send("POST", "/parse/users", `{"username":"someone","password":"`+password+`"}`, rest...), `"sessionToken":"`)
	token, _, found := strings.Cut(token, `"`)
	if !found {
		t.Fatal("cannot sign up")
	}
	session := with("X-Parse-Session-Token", token)
	where := url.QueryEscape(`{"a":"` + value + `"}`)
	for _, path := range []string{
		"/parse/classes/A?where=" + where, "/parse/classes/A?where[a]=" + value, "/parse/classes/A?WHERE=" + value, "/parse/classes/A?order=" + value + "'",
		"/parse/classes/A?where=" + url.QueryEscape(`{"a":{"$regex":"`+value+`["}}`), "/parse/classes/A?where=" + value + "&x=%zz", "/parse/classes/A;where=" + value,
		"/parse/classes/A?where=" + url.QueryEscape(`{"b":{"$regex":"(?=x)(`+value+`+)+$"}}`), "/parse/login?username=someone&password=" + password,
		"/parse/login;password=" + password, "/parse/verifyPassword?username=someone&password=" + password + "x", "/parse/nothing?_MasterKey=" + masterSecret,
		"/parse/nothing?_SessionToken=" + token + "&sessionToken=" + token, "/elsewhere?token=" + token, "/parse/users/me?token=" + token,
	} {
		send("GET", path, "", session...)
		send("GET", path, "") // without any key
	}
	send("GET", "/parse/classes/A", "", with("Referer", "http://example.com/?where="+value+"&token="+token, "Cookie", "s="+token)...)
	send("GET", "/parse/classes/A", "", with("X-Parse-Cloud-Context", `{"v":"`+value+`"}`)...)
	send("GET", "/parse/serverInfo", "", "X-Parse-Application-Id", "myAppId", "X-Parse-Master-Key", masterSecret)
	send("GET", "/parse/serverInfo", "", "X-Parse-Application-Id", "myAppId", "X-Parse-Maintenance-Key", masterSecret+"x", "X-Parse-Client-Key", restSecret, "X-Parse-Windows-Key", restSecret)
	send("GET", "/parse/serverInfo", "", "Authorization", "Basic "+masterSecret)
	for _, body := range []string{
		`{"_method":"GET","_ApplicationId":"myAppId","_JavaScriptKey":"` + scriptSecret + `","_SessionToken":"` + token + `","where":{"a":"` + value + `"}}`,
		`{"_ApplicationId":"myAppId","_MasterKey":"` + masterSecret + `","password":"` + password + `"`, `{"a":{"$` + value + `":1}}`,
	} {
		send("POST", "/parse/classes/A", body)
		send("POST", "/parse/classes/A", body, session...)
		send("POST", "/parse/login", body, session...)
	}
	send("POST", "/parse/users", `{"username":"someone","password":"`+password+`"}`, rest...)
	// Pages repeat what they are asked with in header fields.
	if page := send("GET", "/parse/apps/choose_password?appId=myAppId&token="+value+"&username="+value, ""); !strings.Contains(page, value) {
		t.Errorf("no page: %s", page)
	}
	send("POST", "/parse/apps/myAppId/request_password_reset?token="+value+"&locale="+value, "token="+value, "Content-Type", "application/x-www-form-urlencoded")

	told := map[string]string{"the log": g.process.Output()}
	for _, path := range []string{"/parse/status", "/config/", "/debug/vars", "/metrics"} {
		res, err := http.Get("http://" + g.admin + path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		told[path] = string(data)
	}
	for _, pid := range append(g.workers(), g.process.PID()) {
		for _, file := range []string{"cmdline", "environ"} {
			if file == "environ" && pid == g.process.PID() {
				continue // that is where this test put them
			}
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			if os.IsNotExist(err) {
				continue // not on this system
			}
			if err != nil {
				t.Fatal(err)
			}
			told[fmt.Sprintf("%s of process %d", file, pid)] = string(data)
		}
	}
	if !strings.Contains(told["the log"], "http.log.access") {
		t.Error("there is no access log")
	}
	if !strings.Contains(told["/parse/status"], `"up": false`) {
		t.Error("Redis isn't noted as gone")
	}
	for name, text := range told {
		for _, secret := range []string{masterSecret, restSecret, scriptSecret, password, value, redisSecret, token} {
			for line := range strings.Lines(text) {
				if strings.Contains(line, secret) {
					t.Errorf("%s holds %s: %s", name, secret, line)
				}
			}
		}
	}
	onlyTheOwners(t, filepath.Join(g.dir, "data"))
}

// onlyTheOwners checks that nobody else can read the database, keys and what a gateway keeps.
func onlyTheOwners(t *testing.T, folder string) {
	err := filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != filepath.Join(folder, "files") {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
