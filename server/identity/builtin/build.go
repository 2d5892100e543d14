package builtin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/identity/fetch"
	"github.com/parsescale/parsescale/server/identity/mfa"
)

// maxID bounds the ids that are sent to providers, in bytes.
const maxID = 1024

// Endpoints are the addresses of the providers. They are never taken from a configuration file or a client.
type Endpoints struct {
	// AppleKeys, GoogleKeys and FacebookKeys are key sets. FacebookGraph is the Graph API, with a slash at its end.
	AppleKeys, GoogleKeys, FacebookKeys, FacebookGraph string
	// GitHubToken exchanges codes, GitHubUser tells whose a token is.
	GitHubToken, GitHubUser string
}

// DefaultEndpoints are the providers' own addresses.
func DefaultEndpoints() Endpoints {
	return Endpoints{
		AppleKeys:     "https://appleid.apple.com/auth/keys",
		GoogleKeys:    "https://www.googleapis.com/oauth2/v3/certs",
		FacebookKeys:  "https://www.facebook.com/.well-known/oauth/openid/jwks/",
		FacebookGraph: "https://graph.facebook.com/",
		GitHubToken:   "https://github.com/login/oauth/access_token", //nolint:gosec // an address
		GitHubUser:    "https://api.github.com/user",
	}
}

// Options are the options of Build.
type Options struct {
	// Auth is the option auth: the options of each provider, decoded from JSON. Default: none.
	Auth map[string]map[string]any
	// Anonymous allows the provider anonymous. Default: false.
	Anonymous bool
	// Endpoints are where the providers are. Default: DefaultEndpoints.
	Endpoints Endpoints
	// Client asks them. Default: fetch.New's.
	Client *fetch.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// factory makes adapters.
type factory struct {
	o      Options
	client *fetch.Client
}

// asList turns a single string into a list of it: parse-server takes either.
func asList(options map[string]any, name string) {
	if one, ok := options[name].(string); ok {
		options[name] = []any{one}
	}
}

// elsewhere are parse-server's providers that aren't here.
var elsewhere = []string{
	"digits", "gcenter", "gpgames", "instagram", "janraincapture", "janrainengage", "keycloak", "line", "linkedin", "meetup",
	"microsoft", "phantauth", "qq", "spotify", "twitter", "vkontakte", "wechat", "weibo",
}

// codes are the providers of which users see no more than their id, because an access token is stored with it.
var codes = []string{
	"github", "gpgames", "instagram", "line", "linkedin", "microsoft", "qq", "spotify", "twitter", "wechat", "weibo",
}

// Build makes the adapters that the options configure. The errors are for whoever starts the server; they hold no secret.
func Build(o Options) (map[string]identity.Adapter, error) {
	if o.Endpoints == (Endpoints{}) {
		o.Endpoints = DefaultEndpoints()
	}
	f := &factory{o: o, client: o.Client}
	if f.client == nil {
		f.client = fetch.New(fetch.Options{})
	}
	out := map[string]identity.Adapter{
		"apple":    unconfigured("Apple"),
		"google":   unconfigured("Google"),
		"facebook": unconfigured("Facebook"),
	}
	if o.Anonymous {
		out["anonymous"] = identity.Anonymous()
	}
	for _, name := range slices.Sorted(maps.Keys(o.Auth)) {
		options := o.Auth[name]
		if options == nil {
			continue
		}
		if !identity.ValidName(name) {
			return nil, fmt.Errorf("option auth: %q can't be the name of a provider: a letter, then letters, digits and underscores", name)
		}
		if name == "anonymous" {
			if options["enabled"] == false {
				delete(out, name)
			}
			continue
		}
		if enabled, ok := options["enabled"]; ok && enabled == false {
			delete(out, name)
			continue
		}
		a, err := f.build(name, options)
		if err != nil {
			return nil, fmt.Errorf("option auth.%s: %w", name, err)
		}
		out[name] = a
	}
	return out, nil
}

// build makes one adapter.
func (f *factory) build(name string, options map[string]any) (identity.Adapter, error) {
	options = maps.Clone(options)
	delete(options, "enabled")
	if options["oauth2"] == true {
		var o OAuth2Options
		if err := decode(options, &o); err != nil {
			return nil, err
		}
		return f.oauth2(o)
	}
	if options["enableInsecureAuth"] == true {
		return nil, errors.New("enableInsecureAuth is not supported by this server: it accepts access tokens that were made for other apps")
	}
	delete(options, "enableInsecureAuth")
	switch name {
	case "apple", "google":
		asList(options, "clientId")
		var o OpenIDOptions
		if err := decode(options, &o); err != nil {
			return nil, err
		}
		if len(o.ClientID) == 0 || slices.Contains(o.ClientID, "") {
			return nil, errors.New("clientId is required")
		}
		if name == "apple" {
			return f.apple(o), nil
		}
		return f.google(o), nil
	case "facebook":
		var o FacebookOptions
		if err := decode(options, &o); err != nil {
			return nil, err
		}
		if len(o.AppIDs) == 0 || slices.Contains(o.AppIDs, "") {
			return nil, errors.New("appIds is required, an array of strings")
		}
		return f.facebook(o), nil
	case "github":
		var o GitHubOptions
		if err := decode(options, &o); err != nil {
			return nil, err
		}
		if o.ClientID == "" {
			return nil, errors.New("GitHub clientId is required.") //nolint:revive,staticcheck // parse-server's words
		}
		if o.ClientSecret == "" {
			return nil, errors.New("GitHub clientSecret is required.") //nolint:revive,staticcheck // parse-server's words
		}
		return f.github(o), nil
	case "ldap":
		if t, ok := options["tlsOptions"].(map[string]any); ok {
			t = maps.Clone(t)
			asList(t, "ca")
			options["tlsOptions"] = t
		}
		var o LDAPOptions
		if err := decode(options, &o); err != nil {
			return nil, err
		}
		return newLDAP(o)
	case "mfa":
		return f.mfa(options)
	}
	if slices.Contains(elsewhere, name) {
		return nil, errors.New("this provider is not supported yet by this server; leave it out, or keep such log-ins on parse-server for Node behind the gateway")
	}
	if options["module"] != nil || options["class"] != nil {
		return nil, errors.New("adapters in JavaScript are not supported by this server; write one in Go and pass it as server.Environment.AuthAdapters")
	}
	return nil, errors.New(`there is no such provider; one with token introspection needs "oauth2": true, one in Go is passed as server.Environment.AuthAdapters`)
}

func (f *factory) mfa(options map[string]any) (identity.Adapter, error) {
	if _, ok := options["options"].([]any); !ok {
		return nil, errors.New("mfa.options must be an array")
	}
	for _, name := range []string{"digits", "period"} {
		if v, there := options[name]; there {
			if n, ok := v.(float64); !ok || n != float64(int(n)) {
				return nil, fmt.Errorf("mfa.%s must be a number", name)
			}
		}
	}
	if _, there := options["sendSMS"]; there {
		return nil, errors.New("mfa.sendSMS is a function, which JSON can't hold; pass an adapter with it as server.Environment.AuthAdapters")
	}
	var o mfa.Options
	if err := decode(options, &o); err != nil {
		return nil, err
	}
	o.Now = f.o.Now
	return mfa.New(o)
}

// decode reads the options of one provider. It names what is wrong but not its value, which may be a secret.
func decode(options map[string]any, into any) error {
	data, err := json.Marshal(options)
	if err != nil {
		return errors.New("the options can't be read")
	}
	err = json.Unmarshal(data, into, json.RejectUnknownMembers(true))
	var e *json.SemanticError
	switch {
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &e):
		return fmt.Errorf("unknown field %s", fieldOf(e))
	case errors.As(err, &e):
		return fmt.Errorf("%s must be of type %s, not %s", fieldOf(e), e.GoType, e.JSONKind)
	case err != nil:
		return errors.New("the options can't be read")
	}
	return nil
}

// fieldOf returns the name of the field that an error is about.
func fieldOf(e *json.SemanticError) string {
	return strings.ReplaceAll(strings.TrimPrefix(string(e.JSONPointer), "/"), "/", ".")
}

// Reserved are adapters for data that users have at providers which aren't configured (any more): it is shown no more
// openly than before, and who had a second factor doesn't get in without.
func Reserved() map[string]identity.Adapter {
	out := map[string]identity.Adapter{}
	for _, name := range codes {
		out[name] = idAlone{}
	}
	// The options are right.
	if a, err := mfa.New(mfa.Options{Options: []string{"TOTP"}}); err == nil {
		out["mfa"] = a
	}
	return out
}

// unconfigured is a provider that says so. The text is its name.
type unconfigured string

func (u unconfigured) err() error { return wrong("%s auth is not configured.", string(u)) }

// Identify implements identity.Identifier: nobody is even looked up.
func (u unconfigured) Identify(context.Context, map[string]any) (map[string]any, error) {
	return nil, u.err()
}

// Validate implements identity.Adapter.
func (u unconfigured) Validate(context.Context, *identity.Request) (identity.Outcome, error) {
	return identity.Outcome{}, u.err()
}
