package request

import "bytes"

type bodyState uint8

const (
	bodyNone   bodyState = iota
	bodyObject           // exactly one JSON object
	bodyOpaque           // anything else, or not seen to its end
)

// maxParameters is more than a find has.
const maxParameters = 20

// body is what the gateway needs of a JSON body: the values, as they came, of the names that parse-server takes out,
// and all other members. Of repeated names the last counts, as in JSON.parse.
type body struct {
	state  bodyState
	method []byte
	// credentials by place; nil when absent
	app, session, javascript, master, installation, contentType, context []byte
	// reserved: one of the names above but _method, or _ClientVersion or _RevocableSession, is there.
	reserved bool

	members [maxParameters]member
	n       int
	many    bool // more members than parameters can be
}

type member struct{ name, value []byte }

func (b *body) read(in *Input) {
	switch {
	case !in.BodyComplete:
		b.state = bodyOpaque
	case len(in.Body) == 0:
		b.state = bodyNone
	case !readableBody(in.Header) || !members(in.Body, b.add):
		*b = body{state: bodyOpaque}
	case !present(in.Header, "Content-Type") && (b.method != nil || b.reserved):
		*b = body{state: bodyOpaque} // parse-server doesn't read it, and other workers do
	default:
		b.state = bodyObject
	}
}

func (b *body) add(name, value []byte) bool {
	if len(name) > 0 && name[0] == '_' {
		var place *[]byte
		switch string(name) {
		case "_method":
			b.method = value
			return true
		case "_noBody":
			return true
		case "_ClientVersion", "_RevocableSession":
			b.reserved = true
			return true
		case "_ApplicationId":
			place = &b.app
		case "_SessionToken":
			place = &b.session
		case "_JavaScriptKey":
			place = &b.javascript
		case "_MasterKey":
			place = &b.master
		case "_InstallationId":
			place = &b.installation
		case "_ContentType":
			place = &b.contentType
		case "_context":
			place = &b.context
		}
		if place != nil {
			*place, b.reserved = value, true
			return true
		}
	}
	if b.many {
		return true
	}
	for i := range b.members[:b.n] {
		if string(b.members[i].name) == string(name) {
			b.members[i].value = value
			return true
		}
	}
	if b.n == maxParameters {
		b.many = true
		return true
	}
	b.members[b.n] = member{name, value}
	b.n++
	return true
}

// readUpload looks for credentials in the body of an upload: a worker that doesn't know the app of the header takes a JSON object
// for one that holds them beside the file, whatever its Content-Type says.
func (r *Request) readUpload(in *Input) {
	content := bytes.TrimLeft(in.Body, " \t\r\n")
	var b body
	switch {
	case in.Header["Content-Encoding"] != nil || !in.BodyComplete && (len(content) == 0 || content[0] == '{'):
		r.Doubtful, r.unread = true, true
	case !in.BodyComplete || len(content) == 0 || content[0] != '{':
	case members(in.Body, b.add):
		r.mergeBody(&b)
	default:
		r.Doubtful, r.unread = true, true
	}
}

// mergeBody brings header and body together. The worker looks at the credentials in the body only if it doesn't know
// the app of the header. The gateway doesn't know apps: if there is an app id in the header, the worker may go by
// either, and nothing is cached.
func (r *Request) mergeBody(b *body) {
	if b.master != nil {
		if r.Privileged = true; r.MasterKey == "" {
			r.MasterKey, _ = credential(b.master)
		}
		r.refuse(whyPrivileged)
	}
	if b.context != nil {
		r.refuse(whyContext)
	}
	if !b.reserved {
		return
	}
	app, okApp := credential(b.app)
	r.inBody = app
	session, okSession := credential(b.session)
	javascript, okJavaScript := credential(b.javascript)
	_, okInstallation := credential(b.installation)
	if _, okType := credential(b.contentType); !okApp || !okSession || !okJavaScript || !okInstallation || !okType {
		r.Doubtful = true
		r.unread = r.unread || !okApp
		r.refuse(whyCredentials)
	}
	if r.AppID != "" {
		if differ(r.AppID, app) || differ(r.Session, session) || differ(r.Keys.JavaScript, javascript) {
			r.conflict()
		}
		r.Doubtful = true
		r.refuse(whyTwice)
		return
	}
	if app == "" {
		return // the worker refuses it
	}
	// The worker forgets the header's JavaScript key, not its other keys.
	if differ(r.Session, session) || r.Keys.JavaScript != "" && r.Keys.JavaScript != javascript {
		r.conflict()
	}
	r.AppID, r.Keys.JavaScript = app, javascript
	if session != "" {
		r.Session = session
	}
}

func (r *Request) conflict() {
	r.Privileged, r.Doubtful = true, true
	r.refuse(whyConflict)
}

// differ tells whether both are there and not the same.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// credential reads a string; absent is empty, and anything else isn't readable.
func credential(value []byte) (string, bool) {
	if value == nil {
		return "", true
	}
	s, ok := text(value)
	return s, ok && s != ""
}
