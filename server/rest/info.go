package rest

import "net/http"

// version is the release of parse-server whose API this is.
const version = "9.10.0"

// health answers before any credentials are looked at.
func (a *API) health() *answer {
	state := a.o.State()
	res := &answer{body: []byte(`{"status":"` + state + `"}`)}
	if state != "ok" {
		res.status = http.StatusServiceUnavailable
	}
	if state == "starting" {
		res.header = map[string]string{"Retry-After": "1"}
	}
	return res
}

// features tells the dashboard what it may offer.
const features = `{"features":{` +
	`"globalConfig":{"create":true,"read":true,"update":true,"delete":true},` +
	`"hooks":{"create":true,"read":true,"update":true,"delete":true},` +
	`"cloudCode":{"jobs":false},` +
	`"logs":{"level":true,"size":true,"order":true,"until":true,"from":true},` +
	`"push":{"immediatePush":false,"scheduledPush":false,"storedPushData":false,"pushAudiences":true,"localization":false},` +
	`"schemas":{"addField":true,"removeField":true,"addClass":true,"removeClass":true,"clearAllDataFromClass":true,` +
	`"exportClass":false,"editClassLevelPermissions":true,"editPointerPermissions":true},` +
	`"settings":{"securityCheck":true}},"parseServerVersion":"` + version + `"}`

func (a *API) serverInfo(*call) (*answer, error) {
	return &answer{body: []byte(features)}, nil
}
