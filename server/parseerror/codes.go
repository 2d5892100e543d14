package parseerror

// Codes of the Parse API that the worker answers with.
const (
	OtherCause             = -1
	Internal               = 1
	ConnectionFailed       = 100
	ObjectNotFound         = 101
	InvalidQuery           = 102
	InvalidClassName       = 103
	MissingObjectID        = 104
	InvalidKeyName         = 105
	InvalidPointer         = 106
	InvalidJSON            = 107
	CommandUnavailable     = 108
	IncorrectType          = 111
	ObjectTooLarge         = 116
	OperationForbidden     = 119
	InvalidNestedKey       = 121
	InvalidFileName        = 122
	InvalidACL             = 123
	Timeout                = 124
	InvalidEmailAddress    = 125
	FileSaveError          = 130
	MissingClassName       = 135
	NotChangeable          = 136
	DuplicateValue         = 137
	ScriptFailed           = 141
	Validation             = 142
	FileDeleteError        = 153
	RequestLimitExceeded   = 155
	DuplicateRequest       = 159
	InvalidValue           = 162
	UsernameMissing        = 200
	PasswordMissing        = 201
	UsernameTaken          = 202
	EmailTaken             = 203
	EmailMissing           = 204
	EmailNotFound          = 205
	SessionMissing         = 206
	AccountAlreadyLinked   = 208
	InvalidSessionToken    = 209
	UnsupportedService     = 252
	InvalidSchemaOperation = 255
)
