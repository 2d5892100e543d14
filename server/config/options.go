package config

// Options are the options of one worker, by parse-server's names. Start from Default; the zero value isn't usable.
// Options that parse-server has and this struct lacks are listed in definitions.go, with what happens to them.
type Options struct {
	// AppID names the app; clients send it as X-Parse-Application-Id. Required.
	AppID string `json:"appId"`
	// MasterKey opens everything. Required.
	MasterKey Secret `json:"masterKey"`
	// ReadOnlyMasterKey reads everything and writes nothing. Default: none.
	ReadOnlyMasterKey Secret `json:"readOnlyMasterKey,omitempty"`
	// MaintenanceKey reads and writes internal fields too. Default: none.
	MaintenanceKey Secret `json:"maintenanceKey,omitempty"`
	// RESTAPIKey, JavascriptKey, ClientKey and DotNetKey: once one of them is set, a request without a master or
	// maintenance key must present one that is. An empty key counts as not set. Default: none.
	RESTAPIKey    Secret `json:"restAPIKey,omitempty"`
	JavascriptKey Secret `json:"javascriptKey,omitempty"`
	ClientKey     Secret `json:"clientKey,omitempty"`
	DotNetKey     Secret `json:"dotNetKey,omitempty"`
	// FileKey is a path segment in the URLs of files of the Parse hosting service, not a credential. Default: none.
	FileKey string `json:"fileKey,omitempty"`

	// WebhookKey is sent to webhooks as X-Parse-Webhook-Key, so that they know who asks. Default: none.
	WebhookKey Secret `json:"webhookKey,omitempty"`

	// MasterKeyIPs are the addresses and networks from which the master key is accepted. Default: this machine.
	MasterKeyIPs IPList `json:"masterKeyIps"`
	// MaintenanceKeyIPs is the same for the maintenance key. Default: this machine.
	MaintenanceKeyIPs IPList `json:"maintenanceKeyIps"`
	// ReadOnlyMasterKeyIPs is the same for the read-only master key. Default: everywhere.
	ReadOnlyMasterKeyIPs IPList `json:"readOnlyMasterKeyIps"`
	// TrustProxy says whose X-Forwarded-For is believed. Default: nobody's; the address is the connection's.
	TrustProxy TrustProxy `json:"trustProxy"`

	// DatabaseURI is sqlite://relative/path.db, sqlite:///absolute/path.db or postgres://…. Default: sqlite://data/parse.db.
	DatabaseURI Secret `json:"databaseURI"`
	// DatabaseOptions are read from databaseOptions.
	DatabaseOptions `json:"-"`
	// FilesFolder is where uploaded files are kept. Not an option of parse-server, which has the module
	// @parse/fs-files-adapter for it. Default: the folder "files" beside the SQLite database, else ./files.
	FilesFolder string `json:"filesFolder,omitempty"`
	// FilesAdapter keeps files elsewhere, or encrypts them, as the option filesAdapter says. Default: neither.
	FilesAdapter FilesAdapter `json:"-"`

	// Host is the address to listen on. Default: 0.0.0.0.
	Host string `json:"host"`
	// Port is the TCP port to listen on; 0 picks a free one. Default: 1337.
	Port int `json:"port"`
	// MountPath is the path of the API. Default: /parse.
	MountPath string `json:"mountPath"`
	// ServerURL is the API's URL as clients see it, mount path included; it stands in Location headers and file URLs.
	// Default: http://localhost:<port><mountPath>.
	ServerURL string `json:"serverURL,omitempty"`
	// PublicServerURL takes the place of ServerURL where both are set. Default: none.
	PublicServerURL string `json:"publicServerURL,omitempty"`

	// MaxUploadSize bounds request bodies and files, in bytes or as "20mb". Default: 20mb.
	MaxUploadSize Size `json:"maxUploadSize"`
	// AllowOrigin lists the origins of CORS; the first stands for any that isn't listed. Default: *.
	AllowOrigin Strings `json:"allowOrigin,omitempty"`
	// AllowHeaders are added to Access-Control-Allow-Headers. Default: none.
	AllowHeaders []string `json:"allowHeaders,omitempty"`
	// RequestComplexity bounds what one request may ask for.
	RequestComplexity RequestComplexity `json:"requestComplexity"`
	// RequestKeywordDenylist refuses writes that hold such keys or values. Default: those that hurt JavaScript.
	RequestKeywordDenylist []Keyword `json:"requestKeywordDenylist"`
	// RouteAllowList are regular expressions (JavaScript's) for paths below MountPath, without slashes at the ends and
	// without the query. A request without the master or maintenance key must match one of them as a whole; files, pages
	// and /health are exempt. Default: none, which allows everything; an empty list allows nothing.
	RouteAllowList []string `json:"routeAllowList"`
	// RateLimit limits requests by path, in each worker. Default: none.
	RateLimit []RateLimit `json:"rateLimit,omitempty"`
	// EnableSanitizedErrorResponse hides the reason of a permission error from clients. Default: true.
	EnableSanitizedErrorResponse bool `json:"enableSanitizedErrorResponse"`

	// Schema defines classes. Default: none; they are made by the schema API and by the first objects.
	Schema *Schema `json:"schema,omitempty"`
	// AllowClientClassCreation lets clients without the master key create classes. Default: false.
	AllowClientClassCreation bool `json:"allowClientClassCreation"`
	// AllowCustomObjectID makes clients choose object ids. Default: false.
	AllowCustomObjectID bool `json:"allowCustomObjectId"`
	// ObjectIDSize is the length of made object ids, in characters. Default: 10.
	ObjectIDSize int `json:"objectIdSize"`
	// DefaultLimit is how many results a find returns when it names no limit. Default: 100.
	DefaultLimit int `json:"defaultLimit"`
	// MaxLimit lowers larger limits silently; 0 means no bound. Default: 0.
	MaxLimit int `json:"maxLimit,omitempty"`

	// IdempotencyOptions say which requests are done once however often they are sent with one X-Parse-Request-Id.
	IdempotencyOptions Idempotency `json:"idempotencyOptions"`
	// Installation says what becomes of several installations that turn out to be one device.
	Installation Installation `json:"installation"`
	// Security turns the security check on, which GET /security reports.
	Security Security `json:"security"`

	// SessionLength is how long a session lasts, in seconds. Default: 31536000, a year.
	SessionLength int `json:"sessionLength"`
	// ExpireInactiveSessions gives sessions an end. Default: true.
	ExpireInactiveSessions bool `json:"expireInactiveSessions"`
	// RevokeSessionOnPasswordReset ends a user's sessions when the password changes. Default: true.
	RevokeSessionOnPasswordReset bool `json:"revokeSessionOnPasswordReset"`
	// EnforcePrivateUsers keeps new users from being publicly readable. Default: true.
	EnforcePrivateUsers bool `json:"enforcePrivateUsers"`
	// Auth are the options of auth providers by name; package identity/builtin says what each takes. Default: none.
	Auth AuthProviders `json:"auth,omitempty"`
	// EnableAnonymousUsers allows sign-up with authData.anonymous. Default: true.
	EnableAnonymousUsers bool `json:"enableAnonymousUsers"`
	// ConvertEmailToLowercase and ConvertUsernameToLowercase change what is stored and searched. Default: false.
	ConvertEmailToLowercase    bool `json:"convertEmailToLowercase"`
	ConvertUsernameToLowercase bool `json:"convertUsernameToLowercase"`
	// ProtectedFields are fields hidden by class and group. Default: email of _User from everybody; what is
	// configured is added to that, unless ProtectedFieldsOwnerExempt is off and _User's "*" is configured.
	ProtectedFields map[string]map[string][]string `json:"protectedFields"`
	// ProtectedFieldsOwnerExempt shows users their own protected fields. Default: true.
	ProtectedFieldsOwnerExempt bool `json:"protectedFieldsOwnerExempt"`
	// ProtectedFieldsSaveResponseExempt shows protected fields in the answers to writes. Default: true.
	ProtectedFieldsSaveResponseExempt bool `json:"protectedFieldsSaveResponseExempt"`
	// ProtectedFieldsTriggerExempt gives triggers of saves the fields that are protected from who saves. Default: false.
	ProtectedFieldsTriggerExempt bool `json:"protectedFieldsTriggerExempt"`

	Accounts
	Queries
	Logging

	// FileUpload says who may upload what.
	FileUpload FileUpload `json:"fileUpload"`
	// FileDownload says who may download files.
	FileDownload FileDownload `json:"fileDownload"`
	// PreserveFileName stores files under the name the client chose, without a random prefix. Default: false.
	PreserveFileName bool `json:"preserveFileName"`
}

// RequestComplexity holds the bounds of requestComplexity. -1 means no bound; the master key is exempt.
type RequestComplexity struct {
	// BatchRequestLimit is the most sub-requests of a batch. Default: -1.
	BatchRequestLimit int `json:"batchRequestLimit"`
	// QueryDepth is how deep $or, $and and $nor may nest. Default: -1.
	QueryDepth int `json:"queryDepth"`
	// SubqueryDepth is how deep $inQuery and its like may nest. Default: -1.
	SubqueryDepth int `json:"subqueryDepth"`
	// SubqueryLimit is the most objects a sub-query contributes. Default: -1.
	SubqueryLimit int `json:"subqueryLimit"`
	// IncludeDepth is the most dots of an include plus one. Default: -1.
	IncludeDepth int `json:"includeDepth"`
	// IncludeCount is the most includes. Default: -1.
	IncludeCount int `json:"includeCount"`
	// GraphQLDepth and GraphQLFields are checked and kept, but there is no GraphQL to bound yet. Default: -1.
	GraphQLDepth  int `json:"graphQLDepth"`
	GraphQLFields int `json:"graphQLFields"`
	// AllowRegex permits $regex. Default: true.
	AllowRegex bool `json:"allowRegex"`
}

// Keyword is one entry of requestKeywordDenylist: a key, a value, or both together.
type Keyword struct {
	Key   string `json:"key,omitempty"`
	Value any    `json:"value,omitempty"`
}

// FileUpload holds fileUpload.
type FileUpload struct {
	// EnableForAnonymousUser, EnableForAuthenticatedUser and EnableForPublic: defaults false, true, false.
	EnableForAnonymousUser     bool `json:"enableForAnonymousUser"`
	EnableForAuthenticatedUser bool `json:"enableForAuthenticatedUser"`
	EnableForPublic            bool `json:"enableForPublic"`
	// FileExtensions are regular expressions (JavaScript's) of which an extension must match one; "*" allows all.
	// Default: everything but what browsers run.
	FileExtensions []string `json:"fileExtensions"`
	// AllowedFileURLDomains is accepted only as ["*"]: the worker never stores or fetches a file's URL. Default: ["*"].
	AllowedFileURLDomains []string `json:"allowedFileUrlDomains"`
}

// FileDownload holds fileDownload; all default to true.
type FileDownload struct {
	EnableForAnonymousUser     bool `json:"enableForAnonymousUser"`
	EnableForAuthenticatedUser bool `json:"enableForAuthenticatedUser"`
	EnableForPublic            bool `json:"enableForPublic"`
}

// blockActiveContent is the default of fileUpload.fileExtensions: HTML, XHTML, SVG, XML, XSLT, XSD, RNG, RDF, OWL and
// MathML in any case are refused, everything else is allowed.
const blockActiveContent = `^(?!([xXsS]?[hH][tT][mM][lL]?(\+[xX][mM][lL])?|[xX][hH][tT]|[sS][vV][gG]([zZ]|\+[xX][mM][lL])?|[xX][mM][lL]|[xX][sS][lL][tT]?(\+[xX][mM][lL])?|[xX][sS][dD]|[rR][nN][gG]|[rR][dD][fF](\+[xX][mM][lL])?|[oO][wW][lL]|[mM][aA][tT][hH][mM][lL](\+[xX][mM][lL])?)$)`

// Default returns the options of a worker of which nothing is said but AppID and MasterKey.
func Default() *Options {
	return &Options{
		MasterKeyIPs:         IPList{"127.0.0.1", "::1"},
		MaintenanceKeyIPs:    IPList{"127.0.0.1", "::1"},
		ReadOnlyMasterKeyIPs: IPList{"0.0.0.0/0", "::0"},
		DatabaseURI:          "sqlite://data/parse.db",
		Host:                 "0.0.0.0",
		Port:                 1337,
		MountPath:            "/parse",
		MaxUploadSize:        20 << 20,
		IdempotencyOptions:   Idempotency{TTL: 300},
		Installation:         Installation{DuplicateDeviceTokenAction: "delete", DuplicateDeviceTokenMergePriority: "deviceToken"},
		RequestComplexity: RequestComplexity{
			BatchRequestLimit: -1, QueryDepth: -1, SubqueryDepth: -1, SubqueryLimit: -1,
			IncludeDepth: -1, IncludeCount: -1, GraphQLDepth: -1, GraphQLFields: -1, AllowRegex: true,
		},
		RequestKeywordDenylist: []Keyword{
			{Key: "_bsontype", Value: "Code"}, {Key: "constructor"}, {Key: "__proto__"},
		},
		EnableSanitizedErrorResponse:      true,
		ObjectIDSize:                      10,
		DefaultLimit:                      100,
		SessionLength:                     31536000,
		ExpireInactiveSessions:            true,
		RevokeSessionOnPasswordReset:      true,
		EnforcePrivateUsers:               true,
		EnableAnonymousUsers:              true,
		ProtectedFields:                   map[string]map[string][]string{"_User": {"*": {"email"}}},
		ProtectedFieldsOwnerExempt:        true,
		ProtectedFieldsSaveResponseExempt: true,
		Accounts:                          defaultAccounts(),
		Queries:                           defaultQueries(),
		FileUpload: FileUpload{
			EnableForAuthenticatedUser: true,
			FileExtensions:             []string{blockActiveContent},
			AllowedFileURLDomains:      []string{"*"},
		},
		FileDownload: FileDownload{EnableForAnonymousUser: true, EnableForAuthenticatedUser: true, EnableForPublic: true},
	}
}

// Installation are the options of installations.
type Installation struct {
	// DuplicateDeviceTokenAction is "delete", or "update" to take the device token from older rows instead of deleting
	// them. Default: delete.
	DuplicateDeviceTokenAction string `json:"duplicateDeviceTokenAction,omitempty"`
	// DuplicateDeviceTokenActionEnforceAuth leaves rows alone that the caller may not change. Default: false.
	DuplicateDeviceTokenActionEnforceAuth bool `json:"duplicateDeviceTokenActionEnforceAuth,omitempty"`
	// DuplicateDeviceTokenMergePriority says which of two rows for one device is kept: the one with the "deviceToken", or
	// the one with the "installationId". Default: deviceToken.
	DuplicateDeviceTokenMergePriority string `json:"duplicateDeviceTokenMergePriority,omitempty"`
}

// Security are the options of the security check.
type Security struct {
	// EnableCheck lets the master key ask GET /security for a report. Default: false.
	EnableCheck bool `json:"enableCheck"`
	// EnableCheckLog logs the report at the start. Default: false.
	EnableCheckLog bool `json:"enableCheckLog"`
}

// Idempotency are the options of requests that are done once.
type Idempotency struct {
	// Paths are regular expressions for paths without the leading slash, which match from the start: classes/.*, users.
	// Default: none.
	Paths []string `json:"paths"`
	// TTL is for how long an id is kept, in seconds. Default: 300.
	TTL float64 `json:"ttl"`
}
