package rest

import (
	"strings"

	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/query"
)

// check is one point of the security report.
type check struct {
	title, warning, solution string
	ok                       bool
}

// securityReport is the report in parse-server's form.
func (a *API) securityReport(c *call) (*answer, error) {
	if !a.o.Config.Security.EnableCheck {
		return nil, plain(409, "Enable Parse Server option `security.enableCheck` to run security check.")
	}
	state := "success"
	groups := []any{}
	for _, g := range securityChecks(a.o.Config) {
		groupState, checks := "success", []any{}
		for _, k := range g.checks {
			m := map[string]any{"title": k.title, "state": "success"}
			if !k.ok {
				m["state"], m["warning"], m["solution"] = "fail", k.warning, k.solution
				groupState, state = "fail", "fail"
			}
			checks = append(checks, m)
		}
		groups = append(groups, map[string]any{"name": g.name, "state": groupState, "checks": checks})
	}
	return &answer{body: query.AppendJSON(nil, map[string]any{"report": map[string]any{"version": "1.0.0", "state": state, "groups": groups}})}, nil
}

type checkGroup struct {
	name   string
	checks []check
}

// securityChecks are the checks that fit this server.
func securityChecks(o *config.Options) []checkGroup {
	x := o.RequestComplexity
	return []checkGroup{
		{"Database", []check{
			{"Secure database password", "The password of the database is missing or weak.", "Set a long random password for the database user.", securePassword(string(o.DatabaseURI))},
		}},
		{"Parse Server Configuration", []check{
			{"Secure master key", "The master key is short, or of few kinds of characters.", "Use a random master key of at least 14 characters with letters of both cases, digits and others.", secureText(string(o.MasterKey))},
			{"Security log disabled", "The security report is written to the log, where it may reach others.", "Turn security.enableCheckLog off.", !o.Security.EnableCheckLog},
			{"Client class creation disabled", "Clients may create classes.", "Turn allowClientClassCreation off once the schema stands.", !o.AllowClientClassCreation},
			{"Users are created without public access", "New users can be read by everybody.", "Leave enforcePrivateUsers on.", o.EnforcePrivateUsers},
			{"Read-only master key IP range restricted", "The read-only master key is accepted from everywhere.", "Set readOnlyMasterKeyIps.", o.ReadOnlyMasterKey == "" || !everywhere(o.ReadOnlyMasterKeyIPs)},
			{"Request complexity limits enabled", "Requests may ask for any number of includes, sub-queries or batch entries.", "Set the members of requestComplexity.",
				x.BatchRequestLimit > 0 && x.QueryDepth > 0 && x.SubqueryDepth > 0 && x.SubqueryLimit > 0 && x.IncludeDepth > 0 && x.IncludeCount > 0},
		}},
	}
}

func everywhere(l config.IPList) bool {
	for _, s := range l {
		if strings.HasSuffix(s, "/0") {
			return true
		}
	}
	return false
}

// securePassword reports whether the address of a database holds a password that isn't easily guessed. A file needs none.
func securePassword(uri string) bool {
	scheme, rest, _ := strings.Cut(uri, "://")
	if scheme == "sqlite" {
		return true
	}
	user, _, ok := strings.Cut(rest, "@")
	_, password, has := strings.Cut(user, ":")
	return ok && has && secureText(password)
}

// secureText is parse-server's idea of a secret: 14 characters of four kinds.
func secureText(s string) bool {
	var lower, upper, digit, other bool
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z':
			lower = true
		case r >= 'A' && r <= 'Z':
			upper = true
		case r >= '0' && r <= '9':
			digit = true
		default:
			other = true
		}
	}
	return len(s) >= 14 && lower && upper && digit && other
}
