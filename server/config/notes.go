package config

import (
	"reflect"
	"strings"
)

// notes say why an option isn't honoured, or what happens instead, by its path. A star stands for
// every option that has none of its own.
var notes = map[string]string{
	"databaseURI":                      "sqlite://… or postgres://…; without one it is sqlite://data/parse.db",
	"emailAdapter":                     "smtp, or file",
	"trustProxy":                       "as Express takes it",
	"logLevel":                         "error, warn, info; verbose, debug and silly are one",
	"fileUpload.allowedFileUrlDomains": "only [\"*\"]: a file's URL is never stored nor fetched",
	"databaseOptions.createIndexAuthDataUniqueness":          "on PostgreSQL; on SQLite the index is always there",
	"databaseOptions.createIndexRoleName":                    "on PostgreSQL; on SQLite the index is always there",
	"databaseOptions.createIndexUserEmail":                   "on PostgreSQL; on SQLite the index is always there",
	"databaseOptions.createIndexUserEmailCaseInsensitive":    "on PostgreSQL; on SQLite the index is always there",
	"databaseOptions.createIndexUserEmailVerifyToken":        "on PostgreSQL; on SQLite the index is always there",
	"databaseOptions.createIndexUserPasswordResetToken":      "on PostgreSQL; on SQLite the index is always there",
	"databaseOptions.createIndexUserUsername":                "on PostgreSQL; on SQLite the index is always there",
	"databaseOptions.createIndexUserUsernameCaseInsensitive": "on PostgreSQL; on SQLite the index is always there",
	"databaseOptions.ssl":                                    "on PostgreSQL",
	"masterKeyTtl":                                           "the master key is a text, not a function that is asked again",
	"collectionPrefix":                                       "it is for MongoDB",
	"enableExpressErrorHandler":                              "there is no Express",
	"enableInsecureAuthAdapters":                             "there are no insecure adapters; enableInsecureAuth within auth is refused",
	"allowExpiredAuthDataToken":                              "authData is verified at every log-in and whenever it changes, as by parse-server 9",
	"enableCollationCaseComparison":                          "names and addresses of users are compared without regard to case",
	"enableProductPurchaseLegacyApi":                         "there is no /validate_purchase: Apple has retired what it asks",
	"cacheTTL":                                               "nothing is cached for a time; what is cached is dropped when it changes",
	"cacheMaxSize":                                           "nothing is cached for a time; what is cached is dropped when it changes",
	"encryptionKey":                                          "nor has it one in parse-server, where the files adapter has an option of that name",
	"graphQLPath":                                            "there is no GraphQL yet",
	"graphQLPublicIntrospection":                             "there is no GraphQL yet",
	"playgroundPath":                                         "there is no GraphQL yet",
	"logsFolder":                                             "the log goes to standard error; its last entries are in GET /scriptlog",
	"maxLogFiles":                                            "the log goes to standard error; its last entries are in GET /scriptlog",
	"verifyServerUrl":                                        "serverURL isn't asked at the start",
	"directAccess":                                           "the worker never calls itself over HTTP",

	"databaseAdapter":          "databaseURI picks the database",
	"cloud":                    "it names JavaScript; cloud code in Go is server.Environment.Cloud",
	"cacheAdapter":             "the gateway caches, see its cache option",
	"push":                     "there is no push yet",
	"scheduledPush":            "there is no push yet",
	"liveQuery":                "there is no LiveQuery yet",
	"liveQueryServerOptions":   "there is no LiveQuery yet",
	"startLiveQueryServer":     "there is no LiveQuery yet",
	"mountGraphQL":             "there is no GraphQL yet",
	"graphQLSchema":            "there is no GraphQL yet",
	"mountPlayground":          "there is no GraphQL yet",
	"loggerAdapter":            "the log goes to standard error",
	"analyticsAdapter":         "in Go it is server.Environment.Analytics",
	"cluster":                  "the gateway runs several workers, see its workers option",
	"middleware":               "it is a function of Express",
	"requestContextMiddleware": "it is a function of Express",
	"serverCloseComplete":      "it is a function",

	"encodeParseObjectInCloudFunction": "parse-server 9 has dropped it; cloud functions in Go get their parameters as they were sent",
	"serverStartComplete":              "parse-server 6 has dropped it; the log tells when the worker runs",
	"pages.enableRouter":               "parse-server 9 has dropped it; the pages are always there, below pages.pagesEndpoint",

	"pages.customRoutes":                          "its handlers are functions",
	"passwordPolicy.validatorCallback":            "it is a function; in Go it is server.Environment.ValidPassword",
	"schema.beforeMigration":                      "it is a function",
	"schema.afterMigration":                       "it is a function",
	"security.checkGroups":                        "they are classes of JavaScript",
	"customPages.*":                               "parse-server 9 reads parseFrameURL alone; the others are set by pages.customUrls",
	"query.*":                                     "it is for MongoDB",
	"logLevels.*":                                 "each message has its level",
	"databaseOptions.*":                           "it is for MongoDB",
	"databaseOptions.maxTimeMS":                   "it is for MongoDB; query_timeout bounds the queries of PostgreSQL",
	"databaseOptions.maxPoolSize":                 "it is for MongoDB; max bounds the connections to PostgreSQL",
	"databaseOptions.enableSchemaHooks":           "all workers of a database see its schema change",
	"databaseOptions.schemaCacheTtl":              "all workers of a database see its schema change",
	"databaseOptions.disableIndexFieldValidation": "an index can only be made of fields that the class has",
}

// note returns the note of an option, or of all that are in the same one.
func note(path string) string {
	if n, ok := notes[path]; ok {
		return n
	}
	for i := strings.LastIndexByte(path, '.'); i > 0; i = strings.LastIndexByte(path[:i], '.') {
		if n, ok := notes[strings.TrimSuffix(path[:i], "[]")+".*"]; ok {
			return n
		}
	}
	return ""
}

// quiet are values with which an option asks for nothing that isn't so anyway, beside false, 0, "", [], {} and null.
var quiet = map[string][]any{
	"cluster":                        {1.0},
	"cacheTTL":                       {5000.0},
	"cacheMaxSize":                   {10000.0},
	"graphQLPath":                    {"/graphql"},
	"playgroundPath":                 {"/playground"},
	"logsFolder":                     {"./logs"},
	"databaseOptions.batchSize":      {1000.0},
	"logLevels.cloudFunctionError":   {"error"},
	"logLevels.cloudFunctionSuccess": {"info"},
	"logLevels.signupUsernameTaken":  {"info"},
	"logLevels.triggerAfter":         {"info"},
	"logLevels.triggerBeforeError":   {"error"},
	"logLevels.triggerBeforeSuccess": {"info"},
}

// asksNothing reports whether a value of an option that isn't honoured asks for nothing.
func asksNothing(path string, v any) bool {
	if path == "directAccess" {
		return v != false // which is no default
	}
	for _, q := range quiet[path] {
		if reflect.DeepEqual(q, v) {
			return true
		}
	}
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
