package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRefusedConfiguration: whoever starts a worker, alone or behind the gateway, reads in the last line on standard error
// why it can't start.
func TestRefusedConfiguration(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, option, value, want string }{
		{"not supported", "push", `{"ios":{}}`, "option push is not supported yet by this server"},
		{"a typo", "fileUplod", `{}`, "error: unknown option fileUplod; did you mean fileUpload?"},
		{"a typo within", "fileUpload", `{"enableForPublik":true}`, "did you mean enableForPublic?"},
		{"a wrong type", "fileUpload", `{"enableForPublic":1}`, "fileUpload.enableForPublic must be a boolean value."},
		{"a bad pattern", "routeAllowList", `["("]`, `routeAllowList contains an invalid regex pattern: "(".`},
		{"a bad path", "rateLimit", `[{"requestPath":"/(a","requestTimeWindow":1,"requestCount":1}]`, `rateLimit.requestPath "/(a" is not valid`},
		{"no database there", "databaseURI", `"postgres://u:topsecret@127.0.0.1:1/db"`, "the database is not available"},
	} {
		caddyfile := "{\n\tadmin off\n\tparse {\n\t\tworkers 1 {\n\t\t\tapp_id a\n\t\t\toption " + test.option + " `" + test.value + "`\n\t\t}\n\t}\n}\nhttp://127.0.0.1:0 {\n\tparse /parse/*\n}\n"
		if test.option == "databaseURI" {
			caddyfile = strings.Replace(caddyfile, "option databaseURI `"+test.value+"`", "database_uri "+strings.Trim(test.value, `"`), 1)
		}
		config := `{"appId":"a","masterKey":"m","host":"127.0.0.1","port":0,"` + test.option + `":` + test.value + `}`
		for _, with := range []struct {
			name string
			file string
			text string
			args []string
		}{
			{"alone", "config.json", config, []string{"parse-server", "config.json"}},
			{"behind the gateway", "Caddyfile", caddyfile, []string{"run", "--config", "Caddyfile", "--adapter", "caddyfile"}},
		} {
			t.Run(test.name+" "+with.name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, with.file), []byte(with.text), 0o600); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, program, with.args...)
				var stderr bytes.Buffer
				cmd.Dir, cmd.Stderr, cmd.Env = dir, &stderr, append(os.Environ(), "HOME="+dir)
				err := cmd.Run()
				if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || ctx.Err() != nil {
					t.Fatalf("it ended with %v, want a failure:\n%s", err, &stderr)
				}
				lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
				last := strings.ReplaceAll(lines[len(lines)-1], `\"`, `"`) // the gateway's lines are JSON
				if !strings.Contains(last, test.want) {
					t.Errorf("the last line is %s\nwant %s", last, test.want)
				}
				if strings.Contains(stderr.String(), "topsecret") {
					t.Errorf("a password is told:\n%s", &stderr)
				}
			})
		}
	}
}
