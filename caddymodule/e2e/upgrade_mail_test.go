package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestUpgradeWithMail upgrades while a letter waits for a mail server that is away: the requests don't wait for that one.
func TestUpgradeWithMail(t *testing.T) {
	testservices.NeedTime(t, "the seconds that a letter has")
	t.Parallel() // it waits more than it works
	g := startUpgradable(t, bundledApp(fmt.Sprintf(`option appName mails
			option publicServerURL http://127.0.0.1/parse
			option verifyUserEmails true
			option emailAdapter `+"`"+`{"module":"smtp","options":{"host":"127.0.0.1","port":%d,"from":"a@example.com","tls":"none"}}`+"`", testservices.FreePort(t)), ""))
	newClient(t, g.url()).must(t, "POST", "/users", `{"username":"ann","password":"pw","email":"ann@example.com"}`, nil)
	out, err := g.tryUpgrade()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m := regexp.MustCompile(`waited for (\d+) ms`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("cannot read %q", out)
	}
	if ms, _ := strconv.Atoi(m[1]); ms > 9000 {
		t.Errorf("requests waited for %d ms", ms)
	}
	t.Log(out)
}
