package request

// Op is what a request asks for.
type Op uint8

// The operations. Other is everything that isn't known or can't be read.
const (
	Other      Op = iota
	Find          // GET of a class
	Get           // GET of an object
	Create        // POST to a class other than _User
	Update        // PUT of an object
	Delete        // DELETE of an object
	Batch         // POST /batch
	SignUp        // POST to /users or /classes/_User
	LogIn         // /login, /loginAs, /verifyPassword
	LogOut        // POST /logout
	Me            // GET /users/me, /sessions/me
	Account       // /requestPasswordReset, /verificationEmailRequest, /challenge, /upgradeToRevocableSession
	Function      // POST /functions/:name
	Job           // POST /jobs/:name
	FileUpload    // POST /files/:name
	FileRead      // GET /files/…
	FileDelete    // DELETE /files/…
	Schema        // /schemas
	Config        // /config, /graphql-config
	Hooks         // /hooks, /cloud_code/jobs
	Aggregate     // GET /aggregate/:class
	Push          // POST /push
	Event         // POST /events/:name
	Purge         // DELETE /purge/:class
	Health        // /health
	ServerInfo    // /serverInfo, /security, /scriptlog
	Page          // /apps/…: e-mail verification and password reset in a browser
	Preflight     // OPTIONS
	// Ops is the number of operations.
	Ops
)

var opNames = [Ops]string{"other", "find", "get", "create", "update", "delete", "batch", "signup", "login", "logout", "me",
	"account", "function", "job", "file_upload", "file_read", "file_delete", "schema", "config", "hooks", "aggregate",
	"push", "event", "purge", "health", "server_info", "page", "preflight"}

// String is the operation's name in configurations, metrics and logs.
func (o Op) String() string {
	if o < Ops {
		return opNames[o]
	}
	return opNames[Other]
}

// ParseOp reads a name that String gives.
func ParseOp(name string) (Op, bool) {
	for i, n := range opNames {
		if n == name {
			return Op(i), true
		}
	}
	return Other, false
}
