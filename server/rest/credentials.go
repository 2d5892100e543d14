package rest

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/parseerror"
)

// errUnauthorized answers every request whose app, key or address isn't right, without telling which.
var errUnauthorized = plain(http.StatusForbidden, "unauthorized")

var errContext = parseerror.New(parseerror.InvalidJSON, "Invalid object for context.")

// keys are the app's keys and from where they are accepted.
type keys struct {
	appID                                  string
	master, readOnly, maintenance          key
	clients                                [4]key // in the order of presented.clients
	masterIPs, readOnlyIPs, maintenanceIPs *config.IPMatcher
}

// key is a secret kept as its digest, so that a comparison takes the same time whatever the length.
type key struct {
	digest [sha256.Size]byte
	set    bool
}

func newKey(s config.Secret) key { return key{sha256.Sum256([]byte(s)), s != ""} }

// is compares in constant time.
func (k key) is(s string) bool {
	if !k.set || s == "" {
		return false
	}
	digest := sha256.Sum256([]byte(s))
	return subtle.ConstantTimeCompare(k.digest[:], digest[:]) == 1
}

func newKeys(o *config.Options) (*keys, error) {
	k := &keys{
		appID: o.AppID, master: newKey(o.MasterKey), readOnly: newKey(o.ReadOnlyMasterKey), maintenance: newKey(o.MaintenanceKey),
		clients: [4]key{newKey(o.ClientKey), newKey(o.JavascriptKey), newKey(o.DotNetKey), newKey(o.RESTAPIKey)},
	}
	var err error
	if k.masterIPs, err = o.MasterKeyIPs.Matcher("masterKeyIps"); err != nil {
		return nil, err
	}
	if k.maintenanceIPs, err = o.MaintenanceKeyIPs.Matcher("maintenanceKeyIps"); err != nil {
		return nil, err
	}
	k.readOnlyIPs, err = o.ReadOnlyMasterKeyIPs.Matcher("readOnlyMasterKeyIps")
	return k, err
}

// presented is what a request shows of itself.
type presented struct {
	appID, master, maintenance, session, installation string
	clients                                           [4]string // client, JavaScript, Windows, REST
	contentType                                       string    // what the body says instead of the header field
	context                                           []byte    // a JSON object for cloud code; nil: none
}

// header returns a field; several lines of it are joined, as Node does, and then match no key.
func header(h http.Header, name string) string {
	switch v := h[name]; len(v) {
	case 0:
		return ""
	case 1:
		return v[0]
	default:
		return strings.Join(v, ", ")
	}
}

// fromHeaders reads the credentials in the request's header fields.
func (k *keys) fromHeaders(h http.Header) (p presented, err error) {
	if v, ok := h["X-Parse-Cloud-Context"]; ok && !isObject([]byte(strings.Join(v, ", "))) {
		return p, errContext
	}
	p = presented{
		context:      []byte(header(h, "X-Parse-Cloud-Context")),
		appID:        header(h, "X-Parse-Application-Id"),
		master:       header(h, "X-Parse-Master-Key"),
		maintenance:  header(h, "X-Parse-Maintenance-Key"),
		session:      header(h, "X-Parse-Session-Token"),
		installation: header(h, "X-Parse-Installation-Id"),
		clients: [4]string{
			header(h, "X-Parse-Client-Key"), header(h, "X-Parse-Javascript-Key"),
			header(h, "X-Parse-Windows-Key"), header(h, "X-Parse-Rest-Api-Key"),
		},
	}
	k.fromBasic(header(h, "Authorization"), &p)
	return p, nil
}

// fromBasic reads "Basic base64(appId:masterKey)" or "Basic base64(appId:javascript-key=…)"; it counts only for this
// app and only with exactly two parts.
func (k *keys) fromBasic(authorization string, p *presented) {
	const scheme = "basic "
	if len(authorization) < len(scheme) || !equalFold(authorization[:len(scheme)], scheme) {
		return
	}
	text := strings.TrimRight(strings.TrimSpace(authorization[len(scheme):]), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return
	}
	parts := strings.Split(string(decoded), ":")
	if len(parts) != 2 || parts[0] != k.appID {
		return
	}
	p.appID = parts[0]
	if js, ok := strings.CutPrefix(parts[1], "javascript-key="); ok {
		if js != "" {
			p.clients[1] = js
		}
	} else if parts[1] != "" {
		p.master = parts[1]
	}
}

// fromBody reads the credentials that SDKs put into the body, when the header fields name no known app, and takes them
// out of it.
func (k *keys) fromBody(b *body, p *presented) error {
	b.remove("_noBody")
	if p.appID == k.appID {
		return nil
	}
	b.remove("_RevocableSession")
	app, ok := b.text("_ApplicationId")
	if !ok || app != k.appID || (p.master != "" && !k.master.is(p.master)) {
		return errUnauthorized
	}
	p.appID = app
	p.clients[1], _ = b.text("_JavaScriptKey")
	b.remove("_ApplicationId")
	b.remove("_JavaScriptKey")
	b.remove("_ClientVersion")
	for _, f := range []struct {
		name string
		to   *string
	}{
		{"_InstallationId", &p.installation}, {"_SessionToken", &p.session}, {"_MasterKey", &p.master}, {"_ContentType", &p.contentType},
	} {
		if !truthy(b.get(f.name)) {
			continue
		}
		if *f.to, ok = b.text(f.name); !ok {
			return errUnauthorized
		}
		b.remove(f.name)
	}
	if v := b.get("_context"); truthy(v) {
		if s, ok := b.text("_context"); ok {
			v = []byte(s)
		}
		if !isObject(v) {
			return errContext
		}
		p.context = v
		b.remove("_context")
	}
	return nil
}

func isObject(v []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(v), []byte("{")) && json.Valid(v)
}

// caller turns what was presented into what the request may claim. A key from an address it isn't accepted from fails
// the request rather than weakening it.
func (k *keys) caller(p *presented, from netip.Addr, loginPath bool) (auth.Caller, error) {
	c := auth.Caller{SessionToken: p.session, InstallationID: p.installation}
	if from.IsValid() {
		c.IP = from.String()
	}
	var ips *config.IPMatcher
	switch {
	case k.maintenance.is(p.maintenance):
		c.Maintenance, ips = true, k.maintenanceIPs
	case k.master.is(p.master):
		c.Master, ips = true, k.masterIPs
	case k.readOnly.is(p.master):
		c.Master, c.ReadOnly, ips = true, true, k.readOnlyIPs
	}
	if ips != nil {
		if !ips.Contains(from) {
			return auth.Caller{}, errUnauthorized
		}
		return c, nil
	}
	needed, matched := false, false
	for i, ck := range k.clients {
		needed = needed || ck.set
		matched = ck.is(p.clients[i]) || matched
	}
	if needed && !matched {
		return auth.Caller{}, errUnauthorized
	}
	if loginPath {
		c.SessionToken = ""
	}
	return c, nil
}
