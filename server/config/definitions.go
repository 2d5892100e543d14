package config

// kind is how the text of a flag or an environment variable becomes a value.
type kind uint8

const (
	text    kind = iota
	boolean      // true, "true", 1 and "1" are true, everything else is false
	number       // like parseInt: what follows the digits is ignored
	array        // a JSON array as it is, or text split at commas
	object       // JSON
	module       // JSON, or the name of a module
	loose        // boolean, number, JSON or text
)

// support is what becomes of an option of parse-server.
type support uint8

const (
	honoured support = iota
	// harmless: the worker runs without it and nobody loses anything but comfort; a warning says so, and what happens
	// instead.
	harmless
	// refused: the worker can't do it yet, and running without it would break a promise of the configuration. A value
	// that only switches the feature off is accepted.
	refused
)

// definition is one option of parse-server 9.10, or one that an older one had.
type definition struct {
	name    string
	env     string
	kind    kind
	support support
}

// definitions are all the top-level options, in the order of parse-server's manual, and those of this worker.
var definitions = []definition{
	{"appId", "PARSE_SERVER_APPLICATION_ID", text, honoured},
	{"masterKey", "PARSE_SERVER_MASTER_KEY", text, honoured},
	{"masterKeyTtl", "PARSE_SERVER_MASTER_KEY_TTL", number, harmless},
	{"serverURL", "PARSE_SERVER_URL", text, honoured},
	{"publicServerURL", "PARSE_PUBLIC_SERVER_URL", text, honoured},
	{"databaseURI", "PARSE_SERVER_DATABASE_URI", text, honoured},
	{"databaseAdapter", "PARSE_SERVER_DATABASE_ADAPTER", module, refused},
	{"databaseOptions", "PARSE_SERVER_DATABASE_OPTIONS", object, honoured},
	{"collectionPrefix", "PARSE_SERVER_COLLECTION_PREFIX", text, harmless},
	{"mountPath", "PARSE_SERVER_MOUNT_PATH", text, honoured},
	{"host", "PARSE_SERVER_HOST", text, honoured},
	{"port", "PORT", number, honoured},
	{"appName", "PARSE_SERVER_APP_NAME", text, honoured},
	{"cloud", "PARSE_SERVER_CLOUD", text, refused},
	{"schema", "PARSE_SERVER_SCHEMA", object, honoured},
	{"trustProxy", "PARSE_SERVER_TRUST_PROXY", loose, honoured},

	{"clientKey", "PARSE_SERVER_CLIENT_KEY", text, honoured},
	{"javascriptKey", "PARSE_SERVER_JAVASCRIPT_KEY", text, honoured},
	{"restAPIKey", "PARSE_SERVER_REST_API_KEY", text, honoured},
	{"dotNetKey", "PARSE_SERVER_DOT_NET_KEY", text, honoured},
	{"fileKey", "PARSE_SERVER_FILE_KEY", text, honoured},
	{"webhookKey", "PARSE_SERVER_WEBHOOK_KEY", text, honoured},
	{"readOnlyMasterKey", "PARSE_SERVER_READ_ONLY_MASTER_KEY", text, honoured},
	{"readOnlyMasterKeyIps", "PARSE_SERVER_READ_ONLY_MASTER_KEY_IPS", array, honoured},
	{"maintenanceKey", "PARSE_SERVER_MAINTENANCE_KEY", text, honoured},
	{"maintenanceKeyIps", "PARSE_SERVER_MAINTENANCE_KEY_IPS", array, honoured},
	{"masterKeyIps", "PARSE_SERVER_MASTER_KEY_IPS", array, honoured},
	{"allowHeaders", "PARSE_SERVER_ALLOW_HEADERS", array, honoured},
	{"allowOrigin", "PARSE_SERVER_ALLOW_ORIGIN", array, honoured},
	{"routeAllowList", "PARSE_SERVER_ROUTE_ALLOW_LIST", array, honoured},
	{"requestKeywordDenylist", "PARSE_SERVER_REQUEST_KEYWORD_DENYLIST", array, honoured},
	{"enableSanitizedErrorResponse", "PARSE_SERVER_ENABLE_SANITIZED_ERROR_RESPONSE", boolean, honoured},
	{"rateLimit", "PARSE_SERVER_RATE_LIMIT", loose, honoured},
	{"requestComplexity", "PARSE_SERVER_REQUEST_COMPLEXITY", object, honoured},
	{"security", "PARSE_SERVER_SECURITY", object, honoured},
	{"maxUploadSize", "PARSE_SERVER_MAX_UPLOAD_SIZE", text, honoured},
	{"enableExpressErrorHandler", "PARSE_SERVER_ENABLE_EXPRESS_ERROR_HANDLER", boolean, harmless},

	{"auth", "PARSE_SERVER_AUTH_PROVIDERS", object, honoured},
	{"enableAnonymousUsers", "PARSE_SERVER_ENABLE_ANON_USERS", boolean, honoured},
	{"enableInsecureAuthAdapters", "PARSE_SERVER_ENABLE_INSECURE_AUTH_ADAPTERS", boolean, harmless},
	{"allowExpiredAuthDataToken", "PARSE_SERVER_ALLOW_EXPIRED_AUTH_DATA_TOKEN", boolean, harmless},
	{"enforcePrivateUsers", "PARSE_SERVER_ENFORCE_PRIVATE_USERS", boolean, honoured},
	{"sessionLength", "PARSE_SERVER_SESSION_LENGTH", number, honoured},
	{"expireInactiveSessions", "PARSE_SERVER_EXPIRE_INACTIVE_SESSIONS", boolean, honoured},
	{"extendSessionOnUse", "PARSE_SERVER_EXTEND_SESSION_ON_USE", boolean, honoured},
	{"revokeSessionOnPasswordReset", "PARSE_SERVER_REVOKE_SESSION_ON_PASSWORD_RESET", boolean, honoured},
	{"preventLoginWithUnverifiedEmail", "PARSE_SERVER_PREVENT_LOGIN_WITH_UNVERIFIED_EMAIL", boolean, honoured},
	{"preventSignupWithUnverifiedEmail", "PARSE_SERVER_PREVENT_SIGNUP_WITH_UNVERIFIED_EMAIL", boolean, honoured},
	{"verifyUserEmails", "PARSE_SERVER_VERIFY_USER_EMAILS", boolean, honoured},
	{"sendUserEmailVerification", "PARSE_SERVER_SEND_USER_EMAIL_VERIFICATION", boolean, honoured},
	{"emailAdapter", "PARSE_SERVER_EMAIL_ADAPTER", module, honoured},
	{"emailVerifyTokenValidityDuration", "PARSE_SERVER_EMAIL_VERIFY_TOKEN_VALIDITY_DURATION", number, honoured},
	{"emailVerifyTokenReuseIfValid", "PARSE_SERVER_EMAIL_VERIFY_TOKEN_REUSE_IF_VALID", boolean, honoured},
	{"emailVerifySuccessOnInvalidEmail", "PARSE_SERVER_EMAIL_VERIFY_SUCCESS_ON_INVALID_EMAIL", boolean, honoured},
	{"passwordPolicy", "PARSE_SERVER_PASSWORD_POLICY", object, honoured},
	{"accountLockout", "PARSE_SERVER_ACCOUNT_LOCKOUT", object, honoured},
	{"convertEmailToLowercase", "PARSE_SERVER_CONVERT_EMAIL_TO_LOWERCASE", boolean, honoured},
	{"convertUsernameToLowercase", "PARSE_SERVER_CONVERT_USERNAME_TO_LOWERCASE", boolean, honoured},
	{"enableCollationCaseComparison", "PARSE_SERVER_ENABLE_COLLATION_CASE_COMPARISON", boolean, harmless},
	{"customPages", "PARSE_SERVER_CUSTOM_PAGES", object, honoured},
	{"pages", "PARSE_SERVER_PAGES", object, honoured},
	{"userSensitiveFields", "PARSE_SERVER_USER_SENSITIVE_FIELDS", array, honoured},

	{"allowClientClassCreation", "PARSE_SERVER_ALLOW_CLIENT_CLASS_CREATION", boolean, honoured},
	{"allowCustomObjectId", "PARSE_SERVER_ALLOW_CUSTOM_OBJECT_ID", boolean, honoured},
	{"objectIdSize", "PARSE_SERVER_OBJECT_ID_SIZE", number, honoured},
	{"defaultLimit", "PARSE_SERVER_DEFAULT_LIMIT", number, honoured},
	{"maxLimit", "PARSE_SERVER_MAX_LIMIT", number, honoured},
	{"protectedFields", "PARSE_SERVER_PROTECTED_FIELDS", object, honoured},
	{"protectedFieldsOwnerExempt", "PARSE_SERVER_PROTECTED_FIELDS_OWNER_EXEMPT", boolean, honoured},
	{"protectedFieldsSaveResponseExempt", "PARSE_SERVER_PROTECTED_FIELDS_SAVE_RESPONSE_EXEMPT", boolean, honoured},
	{"protectedFieldsTriggerExempt", "PARSE_SERVER_PROTECTED_FIELDS_TRIGGER_EXEMPT", boolean, honoured},
	{"query", "PARSE_SERVER_QUERY", object, harmless},
	{"allowAggregationForReadOnlyMasterKey", "PARSE_SERVER_ALLOW_AGGREGATION_FOR_READ_ONLY_MASTER_KEY", boolean, honoured},
	{"idempotencyOptions", "PARSE_SERVER_EXPERIMENTAL_IDEMPOTENCY_OPTIONS", object, honoured},
	{"installation", "PARSE_SERVER_INSTALLATION", object, honoured},
	{"enableProductPurchaseLegacyApi", "PARSE_SERVER_ENABLE_PRODUCT_PURCHASE_LEGACY_API", boolean, harmless},
	{"cacheAdapter", "PARSE_SERVER_CACHE_ADAPTER", module, refused},
	{"cacheTTL", "PARSE_SERVER_CACHE_TTL", number, harmless},
	{"cacheMaxSize", "PARSE_SERVER_CACHE_MAX_SIZE", number, harmless},

	{"filesAdapter", "PARSE_SERVER_FILES_ADAPTER", module, honoured},
	{"fileUpload", "PARSE_SERVER_FILE_UPLOAD_OPTIONS", object, honoured},
	{"fileDownload", "PARSE_SERVER_FILE_DOWNLOAD_OPTIONS", object, honoured},
	{"encryptionKey", "PARSE_SERVER_ENCRYPTION_KEY", text, harmless},
	{"preserveFileName", "PARSE_SERVER_PRESERVE_FILE_NAME", boolean, honoured},
	{"push", "PARSE_SERVER_PUSH", object, refused},
	{"scheduledPush", "PARSE_SERVER_SCHEDULED_PUSH", boolean, refused},
	{"liveQuery", "PARSE_SERVER_LIVE_QUERY", object, refused},
	{"liveQueryServerOptions", "PARSE_SERVER_LIVE_QUERY_SERVER_OPTIONS", object, refused},
	{"startLiveQueryServer", "PARSE_SERVER_START_LIVE_QUERY_SERVER", boolean, refused},
	{"mountGraphQL", "PARSE_SERVER_MOUNT_GRAPHQL", boolean, refused},
	{"graphQLPath", "PARSE_SERVER_GRAPHQL_PATH", text, harmless},
	{"graphQLPublicIntrospection", "PARSE_SERVER_GRAPHQL_PUBLIC_INTROSPECTION", boolean, harmless},
	{"graphQLSchema", "PARSE_SERVER_GRAPH_QLSCHEMA", text, refused},
	{"mountPlayground", "PARSE_SERVER_MOUNT_PLAYGROUND", boolean, refused},
	{"playgroundPath", "PARSE_SERVER_PLAYGROUND_PATH", text, harmless},

	{"verbose", "VERBOSE", boolean, honoured},
	{"silent", "SILENT", boolean, honoured},
	{"logLevel", "PARSE_SERVER_LOG_LEVEL", text, honoured},
	{"jsonLogs", "JSON_LOGS", boolean, honoured},
	{"logsFolder", "PARSE_SERVER_LOGS_FOLDER", text, harmless},
	{"maxLogFiles", "PARSE_SERVER_MAX_LOG_FILES", loose, harmless},
	{"logLevels", "PARSE_SERVER_LOG_LEVELS", object, harmless},
	{"loggerAdapter", "PARSE_SERVER_LOGGER_ADAPTER", module, refused},
	{"analyticsAdapter", "PARSE_SERVER_ANALYTICS_ADAPTER", module, refused},
	{"cluster", "PARSE_SERVER_CLUSTER", loose, refused},
	{"verifyServerUrl", "PARSE_SERVER_VERIFY_SERVER_URL", boolean, harmless},
	{"middleware", "PARSE_SERVER_MIDDLEWARE", text, refused},
	{"requestContextMiddleware", "PARSE_SERVER_REQUEST_CONTEXT_MIDDLEWARE", text, refused},
	{"directAccess", "PARSE_SERVER_DIRECT_ACCESS", boolean, harmless},
	{"serverCloseComplete", "PARSE_SERVER_SERVER_CLOSE_COMPLETE", text, refused},

	// Of older majors.
	{"encodeParseObjectInCloudFunction", "PARSE_SERVER_ENCODE_PARSE_OBJECT_IN_CLOUD_FUNCTION", boolean, harmless},
	{"serverStartComplete", "PARSE_SERVER_SERVER_START_COMPLETE", text, harmless},

	{"filesFolder", "PARSESCALE_FILES_FOLDER", text, honoured},
}

func define(name string) (definition, bool) {
	for _, d := range definitions {
		if d.name == name {
			return d, true
		}
	}
	return definition{}, false
}
