package request

import "net/http"

// target is what a method and path ask for.
type target struct {
	op       Op
	write    bool
	classes  []string // that a write changes, before the body is looked at; nil: any
	class    string
	objectID string
	name     string
	alias    bool // by /users or /roles
	odd      bool // a parameter of the path is unusual
}

// once reports whether the operation may do what can't be undone, nor told from the database.
func (t *target) once() bool { return t.op == Function || t.op == Job || t.op == Push }

// unknown is a write of any class.
func unknown() target { return target{op: Other, write: true} }

func reading(op Op) target { return target{op: op} }

func writing(op Op, classes ...string) target { return target{op: op, write: true, classes: classes} }

// routeOf knows parse-server's endpoints. A path or method that isn't there is unknown, although a stock server
// answers it with 404: an application may have mounted more.
func routeOf(method string, p *path) target {
	if p.n == 0 {
		return unknown()
	}
	read := method == http.MethodGet || method == http.MethodHead
	post := method == http.MethodPost
	var buf [maxFirst]byte
	switch first := lower(p.segments[0], &buf); string(first) {
	case "classes":
		if p.n < 2 {
			return unknown()
		}
		class, odd := decoded(p.segments[1])
		if odd || !isClassName(class) {
			// Whatever it is, it isn't an ordinary class.
			return oddObject(method, p, 2)
		}
		return object(method, class, p, 2)
	case "users":
		if read && p.n == 2 && equalFold(p.segments[1], "me") {
			return target{op: Me, class: "_User", alias: true}
		}
		return aliased(method, "_User", p)
	case "sessions":
		if read && p.n == 2 && equalFold(p.segments[1], "me") {
			return target{op: Me, class: "_Session", alias: true}
		}
		return aliased(method, "_Session", p)
	case "roles":
		return aliased(method, "_Role", p)
	case "installations":
		return aliased(method, "_Installation", p)
	case "push_audiences":
		return aliased(method, "_Audience", p)
	case "apps":
		return writing(Page, "_User", "_Session")
	}
	if p.n == 1 {
		return single(method, p, read, post)
	}
	return longer(method, p, read, post)
}

// single routes the paths of one segment.
func single(method string, p *path, read, post bool) target {
	var buf [maxFirst]byte
	switch string(lower(p.segments[0], &buf)) {
	case "batch":
		if post {
			return writing(Batch)
		}
	case "login", "verifypassword":
		if read || post {
			return writing(LogIn, "_User", "_Session") // failed attempts are counted in the user
		}
	case "loginas":
		if post {
			return writing(LogIn, "_User", "_Session")
		}
	case "logout":
		if post {
			return writing(LogOut, "_User", "_Session")
		}
	case "requestpasswordreset", "verificationemailrequest", "challenge", "upgradetorevocablesession":
		if post {
			return writing(Account, "_User", "_Session")
		}
	case "config", "graphql-config":
		if read {
			return reading(Config)
		}
		return target{op: Config, write: true}
	case "schemas":
		if read {
			return reading(Schema)
		}
		return target{op: Schema, write: true}
	case "jobs":
		if post {
			return target{op: Job, write: true}
		}
	case "push":
		if post {
			return target{op: Push, write: true}
		}
	case "serverinfo", "security", "scriptlog":
		if read {
			return reading(ServerInfo)
		}
	}
	return unknown()
}

// longer routes the paths of more segments.
func longer(method string, p *path, read, post bool) target {
	name, odd := decoded(p.segments[1])
	var buf [maxFirst]byte
	switch string(lower(p.segments[0], &buf)) {
	case "functions":
		if post && p.n == 2 {
			return target{op: Function, write: true, name: name}
		}
	case "jobs":
		if post && p.n == 2 {
			return target{op: Job, write: true, name: name}
		}
	case "events":
		if post && p.n == 2 {
			return target{op: Event, write: true, classes: []string{}, name: name}
		}
	case "schemas":
		if p.n != 2 {
			break
		}
		if read {
			return target{op: Schema, class: name, odd: odd}
		}
		return target{op: Schema, write: true, class: name}
	case "aggregate":
		if read && p.n == 2 {
			return target{op: Aggregate, class: name, odd: odd}
		}
	case "purge":
		if method == http.MethodDelete && p.n == 2 {
			return target{op: Purge, write: true, class: name}
		}
	case "hooks", "cloud_code":
		if read {
			return reading(Hooks)
		}
		return target{op: Hooks, write: true}
	}
	return unknown()
}

// object routes the five operations on a class; after is the number of segments up to the class.
func object(method, class string, p *path, after int) target {
	t := target{class: class}
	switch p.n - after {
	case 0:
		switch method {
		case http.MethodGet, http.MethodHead:
			t.op = Find
			return t
		case http.MethodPost:
			t.op = Create
			if class == "_User" {
				t.op = SignUp
			}
			t.write, t.classes = true, written(class)
			return t
		}
	case 1:
		t.objectID, t.odd = decoded(p.segments[after])
		switch method {
		case http.MethodGet, http.MethodHead:
			t.op = Get
			return t
		case http.MethodPut:
			t.op, t.write, t.classes = Update, true, written(class)
			return t
		case http.MethodDelete:
			t.op, t.write, t.classes = Delete, true, written(class)
			return t
		}
	}
	return unknown()
}

func aliased(method, class string, p *path) target {
	t := object(method, class, p, 1)
	t.alias = true
	return t
}

// oddObject routes a class whose name isn't ordinary: writes may change any class, reads aren't cached.
func oddObject(method string, p *path, after int) target {
	class, _ := decoded(p.segments[1])
	t := object(method, class, p, after)
	t.classes, t.odd = nil, true
	return t
}

// written lists the classes that a write of an object of the class may change besides its relations.
func written(class string) []string {
	switch class {
	case "_User":
		return []string{"_User", "_Session"} // a new password ends the sessions
	case "_Role":
		return []string{"_Role", "_Join:users:_Role", "_Join:roles:_Role"}
	}
	return []string{class}
}

// maxFirst is longer than any first segment that is known.
const maxFirst = 32

// lower is s in lower case, or empty if it is too long to be known.
func lower(s string, buf *[maxFirst]byte) []byte {
	if len(s) > maxFirst {
		return nil
	}
	for i := 0; i < len(s); i++ {
		buf[i] = lowerByte(s[i])
	}
	return buf[:len(s)]
}
