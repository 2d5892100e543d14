package rest

// routes lists the endpoints. What isn't here answers 404, as any unknown path does.
func (a *API) routes() {
	rt := &a.router
	master := func(r *route) { r.master = true }
	direct := func(r *route) { r.direct = true }

	rt.add("GET", "/classes/:className", find(""))
	rt.add("GET", "/classes/:className/:objectId", get(""))
	rt.add("POST", "/classes/:className", create(""), writes("create", ""))
	rt.add("PUT", "/classes/:className/:objectId", update(""), writes("update", ""))
	rt.add("DELETE", "/classes/:className/:objectId", remove(""), writes("delete", ""))

	rt.add("GET", "/users/me", (*API).me)
	rt.add("GET", "/sessions/me", (*API).currentSession)
	for path, class := range map[string]string{
		"/users": "_User", "/sessions": "_Session", "/roles": "_Role", "/installations": "_Installation",
	} {
		rt.add("GET", path, find(class))
		rt.add("GET", path+"/:objectId", get(class))
		rt.add("POST", path, create(class), writes("create", class))
		rt.add("PUT", path+"/:objectId", update(class), writes("update", class))
		rt.add("DELETE", path+"/:objectId", remove(class), writes("delete", class))
	}

	rt.add("GET", "/login", (*API).logIn)
	rt.add("POST", "/login", (*API).logIn)
	rt.add("POST", "/challenge", (*API).challenge)
	rt.add("POST", "/loginAs", (*API).logInAs)
	rt.add("POST", "/logout", (*API).logOut)
	rt.add("GET", "/verifyPassword", (*API).verifyPassword)
	rt.add("POST", "/verifyPassword", (*API).verifyPassword)
	rt.add("POST", "/requestPasswordReset", (*API).requestPasswordReset)
	rt.add("POST", "/verificationEmailRequest", (*API).verificationEmailRequest)
	rt.add("POST", "/upgradeToRevocableSession", (*API).upgradeToRevocableSession)

	rt.add("GET", "/config", (*API).config)
	rt.add("PUT", "/config", (*API).putConfig, master)
	rt.add("GET", "/push_audiences", (*API).audiences, master)
	rt.add("GET", "/push_audiences/:objectId", (*API).audience, master)
	rt.add("POST", "/push_audiences", create("_Audience"), writes("create", "_Audience"), master)
	rt.add("PUT", "/push_audiences/:objectId", update("_Audience"), writes("update", "_Audience"), master)
	rt.add("DELETE", "/push_audiences/:objectId", remove("_Audience"), writes("delete", "_Audience"), master)
	rt.add("GET", "/cloud_code/jobs", (*API).jobs, master)
	rt.add("GET", "/cloud_code/jobs/data", (*API).jobsInUse, master)
	rt.add("POST", "/cloud_code/jobs", (*API).scheduleJob, master)
	rt.add("PUT", "/cloud_code/jobs/:objectId", (*API).scheduleJob, master)
	rt.add("DELETE", "/cloud_code/jobs/:objectId", (*API).deleteSchedule, master)
	rt.add("POST", "/functions/:functionName", (*API).callFunction)
	rt.add("POST", "/jobs", (*API).runJob, master)
	rt.add("POST", "/jobs/:jobName", (*API).runJob, master)
	rt.add("GET", "/hooks/functions", hooks(false), master)
	rt.add("GET", "/hooks/functions/:functionName", (*API).functionHook, master)
	rt.add("POST", "/hooks/functions", (*API).createHook, master)
	rt.add("PUT", "/hooks/functions/:functionName", (*API).changeFunctionHook, master)
	rt.add("GET", "/hooks/triggers", hooks(true), master)
	rt.add("GET", "/hooks/triggers/:className/:triggerName", (*API).triggerHook, master)
	rt.add("POST", "/hooks/triggers", (*API).createHook, master)
	rt.add("PUT", "/hooks/triggers/:className/:triggerName", (*API).changeTriggerHook, master)
	rt.add("POST", "/events/:eventName", (*API).trackEvent)
	rt.add("GET", "/scriptlog", (*API).scriptLog, master)
	rt.add("GET", "/security", (*API).securityReport, master)

	rt.add("POST", "/batch", (*API).runBatch, direct)

	rt.add("GET", "/aggregate/:className", (*API).aggregate, master)

	rt.add("GET", "/serverInfo", (*API).serverInfo, master)
	rt.add("GET", "/schemas", (*API).schemas, master)
	rt.add("GET", "/schemas/:className", (*API).schema, master)
	rt.add("POST", "/schemas", (*API).createClass, master)
	rt.add("POST", "/schemas/:className", (*API).createClass, master)
	rt.add("PUT", "/schemas/:className", (*API).updateClass, master)
	rt.add("DELETE", "/schemas/:className", (*API).dropClass, master)
	rt.add("DELETE", "/purge/:className", (*API).purgeClass, master)
}
