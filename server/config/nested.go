package config

// nestedOf are the options within an option, or within the elements of a list: fileUpload, rateLimit[].
func nestedOf(path string) []definition {
	if list, ok := nested[path]; ok {
		return list
	}
	return nestedDatabase[path]
}

// nested are the options within options, in the order of the alphabet, by the path of what they are in; [] stands for
// the elements of a list. As with parse-server, their variables of the environment are known but not read.
var nested = map[string][]definition{
	"accountLockout": {
		{"duration", "PARSE_SERVER_ACCOUNT_LOCKOUT_DURATION", number, honoured},
		{"threshold", "PARSE_SERVER_ACCOUNT_LOCKOUT_THRESHOLD", number, honoured},
		{"unlockOnPasswordReset", "PARSE_SERVER_ACCOUNT_LOCKOUT_UNLOCK_ON_PASSWORD_RESET", boolean, honoured},
	},
	"customPages": {
		{"choosePassword", "PARSE_SERVER_CUSTOM_PAGES_CHOOSE_PASSWORD", text, harmless},
		{"expiredVerificationLink", "PARSE_SERVER_CUSTOM_PAGES_EXPIRED_VERIFICATION_LINK", text, harmless},
		{"invalidLink", "PARSE_SERVER_CUSTOM_PAGES_INVALID_LINK", text, harmless},
		{"invalidPasswordResetLink", "PARSE_SERVER_CUSTOM_PAGES_INVALID_PASSWORD_RESET_LINK", text, harmless},
		{"invalidVerificationLink", "PARSE_SERVER_CUSTOM_PAGES_INVALID_VERIFICATION_LINK", text, harmless},
		{"linkSendFail", "PARSE_SERVER_CUSTOM_PAGES_LINK_SEND_FAIL", text, harmless},
		{"linkSendSuccess", "PARSE_SERVER_CUSTOM_PAGES_LINK_SEND_SUCCESS", text, harmless},
		{"parseFrameURL", "PARSE_SERVER_CUSTOM_PAGES_PARSE_FRAME_URL", text, honoured},
		{"passwordResetSuccess", "PARSE_SERVER_CUSTOM_PAGES_PASSWORD_RESET_SUCCESS", text, harmless},
		{"verifyEmailSuccess", "PARSE_SERVER_CUSTOM_PAGES_VERIFY_EMAIL_SUCCESS", text, harmless},
	},
	"fileDownload": {
		{"enableForAnonymousUser", "PARSE_SERVER_FILE_DOWNLOAD_ENABLE_FOR_ANONYMOUS_USER", boolean, honoured},
		{"enableForAuthenticatedUser", "PARSE_SERVER_FILE_DOWNLOAD_ENABLE_FOR_AUTHENTICATED_USER", boolean, honoured},
		{"enableForPublic", "PARSE_SERVER_FILE_DOWNLOAD_ENABLE_FOR_PUBLIC", boolean, honoured},
	},
	"fileUpload": {
		{"allowedFileUrlDomains", "PARSE_SERVER_FILE_UPLOAD_ALLOWED_FILE_URL_DOMAINS", array, honoured},
		{"enableForAnonymousUser", "PARSE_SERVER_FILE_UPLOAD_ENABLE_FOR_ANONYMOUS_USER", boolean, honoured},
		{"enableForAuthenticatedUser", "PARSE_SERVER_FILE_UPLOAD_ENABLE_FOR_AUTHENTICATED_USER", boolean, honoured},
		{"enableForPublic", "PARSE_SERVER_FILE_UPLOAD_ENABLE_FOR_PUBLIC", boolean, honoured},
		{"fileExtensions", "PARSE_SERVER_FILE_UPLOAD_FILE_EXTENSIONS", array, honoured},
	},
	"idempotencyOptions": {
		{"paths", "PARSE_SERVER_EXPERIMENTAL_IDEMPOTENCY_PATHS", array, honoured},
		{"ttl", "PARSE_SERVER_EXPERIMENTAL_IDEMPOTENCY_TTL", number, honoured},
	},
	"installation": {
		{"duplicateDeviceTokenAction", "PARSE_SERVER_INSTALLATION_DUPLICATE_DEVICE_TOKEN_ACTION", text, honoured},
		{"duplicateDeviceTokenActionEnforceAuth", "PARSE_SERVER_INSTALLATION_DUPLICATE_DEVICE_TOKEN_ACTION_ENFORCE_AUTH", boolean, honoured},
		{"duplicateDeviceTokenMergePriority", "PARSE_SERVER_INSTALLATION_DUPLICATE_DEVICE_TOKEN_MERGE_PRIORITY", text, honoured},
	},
	"liveQuery": {
		{"classNames", "PARSE_SERVER_LIVEQUERY_CLASSNAMES", array, refused},
		{"pubSubAdapter", "PARSE_SERVER_LIVEQUERY_PUB_SUB_ADAPTER", module, refused},
		{"redisOptions", "PARSE_SERVER_LIVEQUERY_REDIS_OPTIONS", object, refused},
		{"redisURL", "PARSE_SERVER_LIVEQUERY_REDIS_URL", text, refused},
		{"regexTimeout", "PARSE_SERVER_LIVEQUERY_REGEX_TIMEOUT", number, refused},
		{"wssAdapter", "PARSE_SERVER_LIVEQUERY_WSS_ADAPTER", module, refused},
	},
	"liveQueryServerOptions": {
		{"appId", "PARSE_LIVE_QUERY_SERVER_APP_ID", text, refused},
		{"cacheTimeout", "PARSE_LIVE_QUERY_SERVER_CACHE_TIMEOUT", number, refused},
		{"keyPairs", "PARSE_LIVE_QUERY_SERVER_KEY_PAIRS", object, refused},
		{"logLevel", "PARSE_LIVE_QUERY_SERVER_LOG_LEVEL", text, refused},
		{"masterKey", "PARSE_LIVE_QUERY_SERVER_MASTER_KEY", text, refused},
		{"port", "PARSE_LIVE_QUERY_SERVER_PORT", number, refused},
		{"pubSubAdapter", "PARSE_LIVE_QUERY_SERVER_PUB_SUB_ADAPTER", module, refused},
		{"redisOptions", "PARSE_LIVE_QUERY_SERVER_REDIS_OPTIONS", object, refused},
		{"redisURL", "PARSE_LIVE_QUERY_SERVER_REDIS_URL", text, refused},
		{"serverURL", "PARSE_LIVE_QUERY_SERVER_SERVER_URL", text, refused},
		{"websocketTimeout", "PARSE_LIVE_QUERY_SERVER_WEBSOCKET_TIMEOUT", number, refused},
		{"wssAdapter", "PARSE_LIVE_QUERY_SERVER_WSS_ADAPTER", module, refused},
	},
	"logLevels": {
		{"cloudFunctionError", "PARSE_SERVER_LOG_LEVELS_CLOUD_FUNCTION_ERROR", text, harmless},
		{"cloudFunctionSuccess", "PARSE_SERVER_LOG_LEVELS_CLOUD_FUNCTION_SUCCESS", text, harmless},
		{"signupUsernameTaken", "PARSE_SERVER_LOG_LEVELS_SIGNUP_USERNAME_TAKEN", text, harmless},
		{"triggerAfter", "PARSE_SERVER_LOG_LEVELS_TRIGGER_AFTER", text, harmless},
		{"triggerBeforeError", "PARSE_SERVER_LOG_LEVELS_TRIGGER_BEFORE_ERROR", text, harmless},
		{"triggerBeforeSuccess", "PARSE_SERVER_LOG_LEVELS_TRIGGER_BEFORE_SUCCESS", text, harmless},
	},
	"pages": {
		{"customRoutes", "PARSE_SERVER_PAGES_CUSTOM_ROUTES", array, refused},
		{"customUrls", "PARSE_SERVER_PAGES_CUSTOM_URLS", object, honoured},
		{"enableLocalization", "PARSE_SERVER_PAGES_ENABLE_LOCALIZATION", boolean, honoured},
		{"enableRouter", "PARSE_SERVER_PAGES_ENABLE_ROUTER", boolean, harmless},
		{"encodePageParamHeaders", "PARSE_SERVER_PAGES_ENCODE_PAGE_PARAM_HEADERS", boolean, honoured},
		{"forceRedirect", "PARSE_SERVER_PAGES_FORCE_REDIRECT", boolean, honoured},
		{"localizationFallbackLocale", "PARSE_SERVER_PAGES_LOCALIZATION_FALLBACK_LOCALE", text, honoured},
		{"localizationJsonPath", "PARSE_SERVER_PAGES_LOCALIZATION_JSON_PATH", text, honoured},
		{"pagesEndpoint", "PARSE_SERVER_PAGES_PAGES_ENDPOINT", text, honoured},
		{"pagesPath", "PARSE_SERVER_PAGES_PAGES_PATH", text, honoured},
		{"placeholders", "PARSE_SERVER_PAGES_PLACEHOLDERS", object, honoured},
	},
	"pages.customRoutes[]": {
		{"handler", "PARSE_SERVER_PAGES_ROUTE_HANDLER", text, refused},
		{"method", "PARSE_SERVER_PAGES_ROUTE_METHOD", text, refused},
		{"path", "PARSE_SERVER_PAGES_ROUTE_PATH", text, refused},
	},
	"pages.customUrls": {
		{"emailVerificationLinkExpired", "PARSE_SERVER_PAGES_CUSTOM_URL_EMAIL_VERIFICATION_LINK_EXPIRED", text, honoured},
		{"emailVerificationLinkInvalid", "PARSE_SERVER_PAGES_CUSTOM_URL_EMAIL_VERIFICATION_LINK_INVALID", text, honoured},
		{"emailVerificationSendFail", "PARSE_SERVER_PAGES_CUSTOM_URL_EMAIL_VERIFICATION_SEND_FAIL", text, honoured},
		{"emailVerificationSendSuccess", "PARSE_SERVER_PAGES_CUSTOM_URL_EMAIL_VERIFICATION_SEND_SUCCESS", text, honoured},
		{"emailVerificationSuccess", "PARSE_SERVER_PAGES_CUSTOM_URL_EMAIL_VERIFICATION_SUCCESS", text, honoured},
		{"passwordReset", "PARSE_SERVER_PAGES_CUSTOM_URL_PASSWORD_RESET", text, honoured},
		{"passwordResetLinkInvalid", "PARSE_SERVER_PAGES_CUSTOM_URL_PASSWORD_RESET_LINK_INVALID", text, honoured},
		{"passwordResetSuccess", "PARSE_SERVER_PAGES_CUSTOM_URL_PASSWORD_RESET_SUCCESS", text, honoured},
	},
	"passwordPolicy": {
		{"doNotAllowUsername", "PARSE_SERVER_PASSWORD_POLICY_DO_NOT_ALLOW_USERNAME", boolean, honoured},
		{"maxPasswordAge", "PARSE_SERVER_PASSWORD_POLICY_MAX_PASSWORD_AGE", number, honoured},
		{"maxPasswordHistory", "PARSE_SERVER_PASSWORD_POLICY_MAX_PASSWORD_HISTORY", number, honoured},
		{"resetPasswordSuccessOnInvalidEmail", "PARSE_SERVER_PASSWORD_POLICY_RESET_PASSWORD_SUCCESS_ON_INVALID_EMAIL", boolean, honoured},
		{"resetTokenReuseIfValid", "PARSE_SERVER_PASSWORD_POLICY_RESET_TOKEN_REUSE_IF_VALID", boolean, honoured},
		{"resetTokenValidityDuration", "PARSE_SERVER_PASSWORD_POLICY_RESET_TOKEN_VALIDITY_DURATION", number, honoured},
		{"validationError", "PARSE_SERVER_PASSWORD_POLICY_VALIDATION_ERROR", text, honoured},
		{"validatorCallback", "PARSE_SERVER_PASSWORD_POLICY_VALIDATOR_CALLBACK", text, refused},
		{"validatorPattern", "PARSE_SERVER_PASSWORD_POLICY_VALIDATOR_PATTERN", text, honoured},
	},
	"query": {
		{"aggregationRawFieldNames", "PARSE_SERVER_QUERY_AGGREGATION_RAW_FIELD_NAMES", boolean, harmless},
		{"aggregationRawValues", "PARSE_SERVER_QUERY_AGGREGATION_RAW_VALUES", boolean, harmless},
	},
	"rateLimit[]": {
		{"errorResponseMessage", "PARSE_SERVER_RATE_LIMIT_ERROR_RESPONSE_MESSAGE", text, honoured},
		{"includeInternalRequests", "PARSE_SERVER_RATE_LIMIT_INCLUDE_INTERNAL_REQUESTS", boolean, honoured},
		{"includeMasterKey", "PARSE_SERVER_RATE_LIMIT_INCLUDE_MASTER_KEY", boolean, honoured},
		{"redisUrl", "PARSE_SERVER_RATE_LIMIT_REDIS_URL", text, honoured},
		{"requestCount", "PARSE_SERVER_RATE_LIMIT_REQUEST_COUNT", number, honoured},
		{"requestMethods", "PARSE_SERVER_RATE_LIMIT_REQUEST_METHODS", array, honoured},
		{"requestPath", "PARSE_SERVER_RATE_LIMIT_REQUEST_PATH", text, honoured},
		{"requestTimeWindow", "PARSE_SERVER_RATE_LIMIT_REQUEST_TIME_WINDOW", number, honoured},
		{"zone", "PARSE_SERVER_RATE_LIMIT_ZONE", text, honoured},
	},
	"requestComplexity": {
		{"allowRegex", "PARSE_SERVER_REQUEST_COMPLEXITY_ALLOW_REGEX", boolean, honoured},
		{"batchRequestLimit", "PARSE_SERVER_REQUEST_COMPLEXITY_BATCH_REQUEST_LIMIT", number, honoured},
		{"graphQLDepth", "PARSE_SERVER_REQUEST_COMPLEXITY_GRAPHQL_DEPTH", number, honoured},
		{"graphQLFields", "PARSE_SERVER_REQUEST_COMPLEXITY_GRAPHQL_FIELDS", number, honoured},
		{"includeCount", "PARSE_SERVER_REQUEST_COMPLEXITY_INCLUDE_COUNT", number, honoured},
		{"includeDepth", "PARSE_SERVER_REQUEST_COMPLEXITY_INCLUDE_DEPTH", number, honoured},
		{"queryDepth", "PARSE_SERVER_REQUEST_COMPLEXITY_QUERY_DEPTH", number, honoured},
		{"subqueryDepth", "PARSE_SERVER_REQUEST_COMPLEXITY_SUBQUERY_DEPTH", number, honoured},
		{"subqueryLimit", "PARSE_SERVER_REQUEST_COMPLEXITY_SUBQUERY_LIMIT", number, honoured},
	},
	"schema": {
		{"afterMigration", "PARSE_SERVER_SCHEMA_AFTER_MIGRATION", text, refused},
		{"beforeMigration", "PARSE_SERVER_SCHEMA_BEFORE_MIGRATION", text, refused},
		{"definitions", "PARSE_SERVER_SCHEMA_DEFINITIONS", object, honoured},
		{"deleteExtraFields", "PARSE_SERVER_SCHEMA_DELETE_EXTRA_FIELDS", boolean, honoured},
		{"keepUnknownIndexes", "PARSE_SERVER_SCHEMA_KEEP_UNKNOWN_INDEXES", boolean, honoured},
		{"lockSchemas", "PARSE_SERVER_SCHEMA_LOCK_SCHEMAS", boolean, honoured},
		{"recreateModifiedFields", "PARSE_SERVER_SCHEMA_RECREATE_MODIFIED_FIELDS", boolean, honoured},
		{"strict", "PARSE_SERVER_SCHEMA_STRICT", boolean, honoured},
	},
	"security": {
		{"checkGroups", "PARSE_SERVER_SECURITY_CHECK_GROUPS", array, refused},
		{"enableCheck", "PARSE_SERVER_SECURITY_ENABLE_CHECK", boolean, honoured},
		{"enableCheckLog", "PARSE_SERVER_SECURITY_ENABLE_CHECK_LOG", boolean, honoured},
	},
}
