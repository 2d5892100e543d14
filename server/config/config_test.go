package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var required = []string{"--appId", "app", "--masterKey", "master"}

func load(t *testing.T, args, env []string, file string) (*Options, []string, error) {
	t.Helper()
	return Load(Sources{Args: args, Env: env, ReadFile: func(name string) ([]byte, error) {
		if name != "config.json" {
			return nil, errors.New("no such file")
		}
		return []byte(file), nil
	}})
}

func TestPrecedence(t *testing.T) {
	file := `{"appId":"fromFile","masterKey":"m","port":1,"mountPath":"/file","defaultLimit":7}`
	env := []string{"PORT=2", "PARSE_SERVER_MOUNT_PATH=/env", "PARSE_SERVER_APPLICATION_ID="}
	o, _, err := load(t, []string{"config.json", "--port", "3"}, env, file)
	if err != nil {
		t.Fatal(err)
	}
	if o.Port != 3 {
		t.Errorf("port = %d, want the flag's 3", o.Port)
	}
	if o.MountPath != "/env" {
		t.Errorf("mountPath = %q, want the environment's", o.MountPath)
	}
	if o.DefaultLimit != 7 {
		t.Errorf("defaultLimit = %d, want the file's 7", o.DefaultLimit)
	}
	if o.AppID != "fromFile" {
		t.Errorf("appId = %q: an empty variable must count as unset", o.AppID)
	}
	if o.SessionLength != 31536000 {
		t.Errorf("sessionLength = %d, want the default", o.SessionLength)
	}
}

func TestParsers(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		env  []string
		file string
		want func(*Options) bool
	}{
		{"bool from text", []string{"--preserveFileName", "1"}, nil, "", func(o *Options) bool { return o.PreserveFileName }},
		{"bool yes is false", nil, []string{"PARSE_SERVER_PRESERVE_FILE_NAME=yes"}, "", func(o *Options) bool { return !o.PreserveFileName }},
		{"bool flag alone", []string{"--preserveFileName"}, nil, "", func(o *Options) bool { return o.PreserveFileName }},
		{"bool default true off", []string{"--enableAnonymousUsers", "false"}, nil, "", func(o *Options) bool { return !o.EnableAnonymousUsers }},
		{"number like parseInt", []string{"--defaultLimit", "25x"}, nil, "", func(o *Options) bool { return o.DefaultLimit == 25 }},
		{"array from text", []string{"--masterKeyIps", "10.0.0.1,10.0.0.2"}, nil, "", func(o *Options) bool {
			return slices.Equal(o.MasterKeyIPs, IPList{"10.0.0.1", "10.0.0.2"})
		}},
		{"array from JSON text", nil, []string{`PARSE_SERVER_MASTER_KEY_IPS=["10.0.0.1"]`}, "", func(o *Options) bool {
			return slices.Equal(o.MasterKeyIPs, IPList{"10.0.0.1"})
		}},
		{"object from the environment", nil, []string{`PARSE_SERVER_FILE_UPLOAD_OPTIONS={"enableForPublic":true}`}, "", func(o *Options) bool {
			return o.FileUpload.EnableForPublic && o.FileUpload.EnableForAuthenticatedUser
		}},
		{"size", []string{"--maxUploadSize=1.5kb"}, nil, "", func(o *Options) bool { return o.MaxUploadSize == 1536 }},
		{"size as a number", nil, nil, `{"maxUploadSize":100}`, func(o *Options) bool { return o.MaxUploadSize == 100 }},
		{"origin as a string", nil, nil, `{"allowOrigin":"https://a.example"}`, func(o *Options) bool {
			return slices.Equal(o.AllowOrigin, []string{"https://a.example"})
		}},
		{"apps with one app", nil, nil, `{"apps":[{"objectIdSize":12}]}`, func(o *Options) bool { return o.ObjectIDSize == 12 }},
		{"trustProxy hops", []string{"--trustProxy", "2"}, nil, "", func(o *Options) bool { return o.TrustProxy.Hops == 2 }},
		{"trustProxy all", []string{"--trustProxy", "true"}, nil, "", func(o *Options) bool { return o.TrustProxy.All }},
		{"trustProxy names", []string{"--trustProxy", "loopback, 10.1.2.3"}, nil, "", func(o *Options) bool {
			return o.TrustProxy.Contains(netip.MustParseAddr("::ffff:10.1.2.3")) && !o.TrustProxy.Contains(netip.MustParseAddr("10.1.2.4"))
		}},
		{"protectedFields are added to the default", nil, nil, `{"protectedFields":{"_User":{"*":["phone"]},"A":{"*":["x"]}}}`, func(o *Options) bool {
			return slices.Equal(o.ProtectedFields["_User"]["*"], []string{"phone", "email"}) && slices.Equal(o.ProtectedFields["A"]["*"], []string{"x"})
		}},
		{"protectedFields without the owner exemption", nil, nil, `{"protectedFieldsOwnerExempt":false,"protectedFields":{"_User":{"*":["phone"]}}}`, func(o *Options) bool {
			return slices.Equal(o.ProtectedFields["_User"]["*"], []string{"phone"})
		}},
		{"userSensitiveFields", nil, nil, `{"userSensitiveFields":["phone"]}`, func(o *Options) bool {
			return slices.Equal(o.ProtectedFields["_User"]["*"], []string{"email", "phone"})
		}},
		{"file system adapter", nil, nil, `{"filesAdapter":{"module":"@parse/fs-files-adapter","options":{"filesSubDirectory":"../x"}}}`, func(o *Options) bool {
			return o.FilesFolder == "x" // as parse-server joins them
		}},
		{"refused options that are off", nil, nil, `{"verifyUserEmails":false,"cluster":1,"rateLimit":[],"auth":{"anonymous":{},"x":{"enabled":false}},"push":null}`, func(o *Options) bool {
			return true
		}},
		{"mount path is tidied", []string{"--mountPath", "api/"}, nil, "", func(o *Options) bool { return o.MountPath == "/api" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append(slices.Clone(required), test.args...)
			if test.file != "" {
				args = append(args, "config.json")
			}
			o, _, err := load(t, args, test.env, test.file)
			if err != nil {
				t.Fatal(err)
			}
			if !test.want(o) {
				t.Errorf("wrong options: %+v", o)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"no keys", `{"appId":"a"}`, "appId and masterKey are required"},
		{"unknown option", `{"nope":1}`, "error: unknown option nope"},
		{"typo", `{"masterkey":"x"}`, "error: unknown option masterkey; did you mean masterKey?"},
		{"typo within", `{"fileUpload":{"enableForPublik":true}}`, "error: unknown option fileUpload.enableForPublik; did you mean enableForPublic?"},
		{"typo in a list", `{"rateLimit":[{"requestPath":"/a","requestTimeWindow":1,"requestCount":1,"requestMethod":"GET"}]}`, `Invalid rate limit option "requestMethod"; did you mean requestMethods?`},
		{"two apps", `{"apps":[{},{}]}`, "Multiple apps are not supported"},
		{"same keys", `{"masterKey":"x","readOnlyMasterKey":"x"}`, "masterKey and readOnlyMasterKey should be different"},
		{"same maintenance key", `{"masterKey":"x","maintenanceKey":"x"}`, "masterKey and maintenanceKey should be different"},
		{"fileUpload", `{"fileUpload":[]}`, "fileUpload must be an object value."},
		{"fileUpload null", `{"fileUpload":null}`, "fileUpload must be an object value."},
		{"fileUpload flag", `{"fileUpload":{"enableForPublic":"x"}}`, "fileUpload.enableForPublic must be a boolean value."},
		{"fileExtensions", `{"fileUpload":{"fileExtensions":"x"}}`, "fileUpload.fileExtensions must be an array."},
		{"publicServerURL", `{"publicServerURL":"ftp://x"}`, "The option publicServerURL must be a valid URL starting with http:// or https://."},
		{"session length", `{"sessionLength":0}`, "Session length must be a value greater than 0."},
		{"number", `{"port":"x"}`, "Key port has invalid value x"},
		{"default limit", `{"defaultLimit":-1}`, "Default limit must be a value greater than 0."},
		{"ip", `{"masterKeyIps":["1.2.3"]}`, `The Parse Server option "masterKeyIps" contains an invalid IP address "1.2.3".`},
		{"allowHeaders", `{"allowHeaders":[""]}`, "Allow headers must not contain empty strings"},
		{"header injection", `{"allowOrigin":["a\r\nX: y"]}`, "line breaks"},
		{"requestComplexity key", `{"requestComplexity":{"x":1}}`, "requestComplexity contains unknown property 'x'."},
		{"requestComplexity value", `{"requestComplexity":{"queryDepth":0}}`, "requestComplexity.queryDepth must be a positive integer or -1 to disable."},
		{"mongo", `{"databaseURI":"mongodb://u:secret@h/db"}`, "this server doesn't support MongoDB"},
		{"unknown database", `{"databaseURI":"mysql://x"}`, `unknown scheme "mysql"`},
		{"rate limit without a path", `{"rateLimit":[{}]}`, "rateLimit.requestPath must be defined"},
		{"rate limit with a bad path", `{"rateLimit":{"requestPath":"/functions/(a|b)"}}`, `rateLimit.requestPath "/functions/(a|b)" is not valid: ( at index 11`},
		{"rate limit without a window", `{"rateLimit":[{"requestPath":"/a"}]}`, "rateLimit.requestTimeWindow must be defined"},
		{"rate limit with a window of text", `{"rateLimit":[{"requestPath":"/a","requestTimeWindow":"1","requestCount":1}]}`, "rateLimit.requestTimeWindow must be a number"},
		{"rate limit with no time", `{"rateLimit":[{"requestPath":"/a","requestTimeWindow":0,"requestCount":1}]}`, "rateLimit.requestTimeWindow must be between 1 and 2147483647 milliseconds"},
		{"rate limit without a count", `{"rateLimit":[{"requestPath":"/a","requestTimeWindow":1}]}`, "rateLimit.requestCount must be defined"},
		{"rate limit zone", `{"rateLimit":[{"requestPath":"/a","requestTimeWindow":1,"requestCount":1,"zone":"x"}]}`, "rateLimit.zone must be one of global, session, user, or ip"},
		{"rate limit methods", `{"rateLimit":[{"requestPath":"/a","requestTimeWindow":1,"requestCount":1,"requestMethods":"("}]}`, "rateLimit.requestMethods"},
		{"rate limit redis", `{"rateLimit":[{"requestPath":"/a","requestTimeWindow":1,"requestCount":1,"redisUrl":7}]}`, "rateLimit.redisUrl must be a string"},
		{"rate limit key", `{"rateLimit":[{"requestPath":"/a","requestTimeWindow":1,"requestCount":1,"x":1}]}`, `Invalid rate limit option "x"`},
		{"rate limit of numbers", `{"rateLimit":[1]}`, "rateLimit must be an array of objects"},
		{"not yet", `{"push":{"ios":{}}}`, "option push is not supported yet"},
		{"route allow list", `{"routeAllowList":["users","("]}`, `Parse Server option routeAllowList contains an invalid regex pattern: "(".`},
		{"route allow list of numbers", `{"routeAllowList":[1]}`, "Parse Server option routeAllowList contains a non-string value."},
		{"route allow list as an object", `{"routeAllowList":{}}`, "routeAllowList: map[] should be a comma separated string or an array"},
		{"not JSON", `{`, "not a JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := test.file
			if !strings.Contains(file, "appId") && strings.HasPrefix(file, `{"`) && !strings.Contains(file, "apps") && !strings.Contains(file, `"masterKey":`) {
				file = `{"appId":"app","masterKey":"m",` + file[1:]
			} else if strings.Contains(file, `"masterKey":`) {
				file = `{"appId":"app",` + file[1:]
			}
			_, _, err := load(t, []string{"config.json"}, nil, file)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error = %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
	for _, args := range [][]string{{"--nope", "1"}, {"-x"}, {"a.json", "b.json"}, {"--masterKey"}} {
		if _, _, err := load(t, args, nil, ""); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		name, file string
		env        []string
		want       []string
	}{
		{"without effect", `{"logsFolder":"./x"}`, nil, []string{"option logsFolder has no effect: the log goes to standard error"}},
		{"the default", `{"logsFolder":"./logs","cacheTTL":5000,"directAccess":true,"verifyServerUrl":false,"collectionPrefix":""}`, nil, nil},
		{"within another", `{"logLevels":{"triggerAfter":"debug","triggerBeforeError":"error"}}`, nil, []string{"option logLevels.triggerAfter has no effect"}},
		{"for MongoDB", `{"databaseOptions":{"maxPoolSize":5,"retryWrites":true}}`, nil, []string{
			"option databaseOptions.maxPoolSize has no effect: it is for MongoDB; max bounds", "option databaseOptions.retryWrites has no effect: it is for MongoDB",
		}},
		{"unknown to us", `{"databaseOptions":{"maxPoolSiz":5}}`, nil, []string{"doesn't know it; did you mean maxPoolSize?"}},
		{"neither true nor false", `{"enforcePrivateUsers":"yes"}`, nil, []string{"option enforcePrivateUsers is neither true nor false"}},
		{"a variable that nobody reads", `{}`, []string{"PARSE_SERVER_PAGES_FORCE_REDIRECT=true"}, []string{
			"the environment variable PARSE_SERVER_PAGES_FORCE_REDIRECT has no effect, as with parse-server: give pages.forceRedirect in PARSE_SERVER_PAGES, as JSON",
		}},
		{"an older variable", `{}`, []string{"PARSE_SERVER_ENABLE_EXPERIMENTAL_DIRECT_ACCESS=1"}, []string{"option directAccess has no effect"}},
		{"an older path of limits", `{"rateLimit":[{"requestPath":"/functions/*","requestTimeWindow":1,"requestCount":1}]}`, nil, []string{`"/functions/*" has the form of parse-server 8 and older; it counts as "/functions/{*path}"`}},
		{"any path of limits", `{"rateLimit":[{"requestPath":"*","requestTimeWindow":1,"requestCount":1}]}`, nil, []string{`it counts as "{*path}"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, warnings, err := load(t, append(slices.Clone(required), "config.json"), test.env, test.file)
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) != len(test.want) {
				t.Fatalf("warnings = %q, want %q", warnings, test.want)
			}
			for i, w := range warnings {
				if !strings.Contains(w, test.want[i]) {
					t.Errorf("warning %q, want %q", w, test.want[i])
				}
			}
		})
	}
}

func TestDefinitionsAreUnique(t *testing.T) {
	names, envs := map[string]bool{}, map[string]bool{}
	for _, d := range definitions {
		if names[d.name] || envs[d.env] {
			t.Errorf("%s or %s is defined twice", d.name, d.env)
		}
		names[d.name], envs[d.env] = true, true
	}
	var fields map[string]any
	data, err := json.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		if d, ok := define(name); !ok || d.support != honoured {
			t.Errorf("the field %s has no definition as an honoured option", name)
		}
	}
}

func TestOptionsSurviveJSON(t *testing.T) {
	o := Default()
	o.AppID, o.MasterKey, o.DatabaseURI = "a", "secret", "sqlite:///x.db"
	o.TrustProxy = TrustProxy{Hops: 3}
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	back, _, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	if back.MasterKey != "secret" || back.TrustProxy.Hops != 3 || back.MaxUploadSize != o.MaxUploadSize {
		t.Errorf("options changed on the way: %+v", back)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	o := Default()
	o.MasterKey, o.DatabaseURI = "hunter2", "postgres://u:hunter2@h/d"
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", o.MasterKey)
	for _, s := range []string{fmt.Sprint(o), fmt.Sprintf("%+v %#v %q %x", o, o, o.MasterKey, o.MasterKey), log.String()} {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e746572") {
			t.Errorf("a secret is printed: %s", s)
		}
	}
}

func TestIPLists(t *testing.T) {
	for _, test := range []struct {
		name string
		list IPList
		ip   string
		want bool
	}{
		{"exact", IPList{"10.0.0.1"}, "10.0.0.1", true},
		{"other", IPList{"10.0.0.1"}, "10.0.0.2", false},
		{"mapped", IPList{"10.0.0.1"}, "::ffff:10.0.0.1", true},
		{"mapped rule", IPList{"::ffff:10.0.0.1"}, "10.0.0.1", true},
		{"network", IPList{"10.0.0.0/8"}, "::ffff:10.9.9.9", true},
		{"all v4", IPList{"0.0.0.0"}, "8.8.8.8", true},
		{"all v4 is not v6", IPList{"0.0.0.0/0"}, "2001:db8::1", false},
		{"all v6", IPList{"::0"}, "2001:db8::1", true},
		{"all v6 is not v4", IPList{"::/0"}, "8.8.8.8", false},
		{"nobody", IPList{}, "127.0.0.1", false},
		{"zone", IPList{"fe80::1"}, "fe80::1%eth0", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := test.list.Matcher("masterKeyIps")
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Contains(netip.MustParseAddr(test.ip)); got != test.want {
				t.Errorf("Contains(%s) = %v", test.ip, got)
			}
		})
	}
	m, _ := IPList{"0.0.0.0/0", "::/0"}.Matcher("x")
	if m.Contains(netip.Addr{}) {
		t.Error("an address that can't be read is admitted")
	}
}

func FuzzFromJSON(f *testing.F) {
	f.Add([]byte(`{"appId":"a","masterKey":"b","trustProxy":["loopback"],"maxUploadSize":"1mb"}`))
	f.Add([]byte(`{"apps":[{"fileUpload":{}}]}`))
	for _, r := range table(f) {
		if data, err := json.Marshal(r.config(f, r.option, r.value)); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, _, err := FromJSON(data)
		if err == nil && (o.AppID == "" || o.MasterKey == "") {
			t.Error("accepted without keys")
		}
	})
}
