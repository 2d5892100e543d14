package cloud

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/trigger"
)

// maxAnswer bounds the answer of a webhook, in bytes.
const maxAnswer = 20 << 20

func headersOf(h map[string]string) map[string]any {
	out := make(map[string]any, len(h))
	for k, v := range h {
		out[k] = v
	}
	return out
}

// body is a request as parse-server sends it to webhooks.
func (r *Request) body() map[string]any {
	m := map[string]any{
		"params": plainDates(r.Params), "master": r.Master, "isReadOnly": r.ReadOnly, "log": map[string]any{},
		"headers": headersOf(r.Headers), "ip": r.IP, "functionName": r.FunctionName, "context": r.Context,
	}
	if r.User != nil {
		m["user"] = r.User
	}
	if r.InstallationID != "" {
		m["installationId"] = r.InstallationID
	}
	return m
}

// plainDates returns a value in which dates are texts, as those are that JavaScript has made of a function's parameters.
func plainDates(v any) any {
	switch v := v.(type) {
	case query.Date:
		return string(query.AppendTime(nil, v.Time))
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plainDates(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plainDates(e)
		}
		return out
	}
	return v
}

// fileBody is the request of a trigger of files as parse-server sends it to webhooks.
func fileBody(r *trigger.Request) map[string]any {
	m := map[string]any{
		"triggerName": r.Kind.String(), "master": r.Master, "isReadOnly": r.ReadOnly, "log": map[string]any{}, "file": r.File.JSON(),
	}
	if !trigger.Finds.Has(r.Kind) { // parse-server doesn't know them there
		m["headers"], m["ip"] = headersOf(r.Headers), r.IP
	}
	if r.User != nil {
		m["user"] = r.User
	}
	if r.InstallationID != "" {
		m["installationId"] = r.InstallationID
	}
	switch r.Kind {
	case trigger.BeforeSave, trigger.AfterSave, trigger.BeforeDelete, trigger.AfterDelete:
		m["fileSize"] = nil
		if r.File.Size >= 0 {
			m["fileSize"] = float64(r.File.Size)
		}
		if r.File.Stream {
			m["stream"] = true
		}
	case trigger.AfterFind:
		if r.File.ResponseHeaders != nil {
			m["forceDownload"], m["responseHeaders"] = r.File.ForceDownload, headersOf(r.File.ResponseHeaders)
		}
	}
	return m
}

// takeFile reads what the webhook of a find of files says: of another file, of its content, and of how it is sent.
func takeFile(f *trigger.File, success any) {
	m, _ := success.(map[string]any)
	file, _ := m["file"].(map[string]any)
	if name, ok := file["_name"].(string); ok && name != "" {
		f.Name = name
	}
	if data, ok := file["_data"].(string); ok && f.Content != nil {
		if content, err := base64.StdEncoding.DecodeString(data); err == nil {
			f.Content = bytes.NewReader(content)
		}
	}
	if query.Truthy(m["forceDownload"]) {
		f.ForceDownload = true
	}
	if headers, ok := m["responseHeaders"].(map[string]any); ok {
		f.ResponseHeaders = map[string]string{}
		for name, v := range headers {
			f.ResponseHeaders[name] = fmt.Sprint(v)
		}
	}
}

// triggerBody is the request of a trigger as parse-server sends it to webhooks.
func triggerBody(r *trigger.Request) map[string]any {
	m := map[string]any{
		"triggerName": r.Kind.String(), "master": r.Master, "isReadOnly": r.ReadOnly, "log": map[string]any{},
		"headers": headersOf(r.Headers), "ip": r.IP,
	}
	if r.Kind != trigger.AfterLogout {
		m["context"] = r.Context
	}
	if r.User != nil {
		m["user"] = r.User
	}
	if r.InstallationID != "" {
		m["installationId"] = r.InstallationID
	}
	if r.Object != nil {
		m["object"] = r.Object.JSON()
	}
	if r.Original != nil {
		m["original"] = r.Original.JSON()
	}
	switch r.Kind {
	case trigger.BeforeFind:
		m["query"], m["count"], m["isGet"] = r.Query.JSON(), r.Count, r.IsGet
	case trigger.AfterFind:
		objects := make([]any, len(r.Objects))
		for i, o := range r.Objects {
			objects[i] = o.Values()
		}
		m["object"], m["query"], m["isGet"], m["objects"] = nil, r.Query.JSON(), r.IsGet, objects
	}
	return m
}

func noAgreement() error {
	return parseerror.New(parseerror.ScriptFailed, "The webhook's answer can't be used.")
}

// postTrigger asks the webhook of a trigger.
func (c *Cloud) postTrigger(ctx context.Context, url string, r *trigger.Request) error {
	body := triggerBody
	if r.File != nil {
		body = fileBody
	}
	answer, err := c.post(ctx, url, body(r), c.log.With("trigger", r.Kind.String(), "class", r.Class), "trigger", r.ErrorCode)
	if err != nil {
		return err
	}
	success, there := answer["success"]
	if r.File != nil {
		if trigger.Finds.Has(r.Kind) {
			takeFile(r.File, success)
		}
		return nil
	}
	switch r.Kind {
	case trigger.BeforeSave:
		if !there {
			return nil
		}
		object, ok := success.(map[string]any)
		if !ok {
			return noAgreement()
		}
		for _, name := range [...]string{"createdAt", "updatedAt", "className"} {
			delete(object, name)
		}
		r.Object.Replace(object)
	case trigger.AfterSave:
		switch success.(type) {
		case map[string]any, []any:
			r.Result = success
		}
	case trigger.BeforeFind:
		if list, ok := success.([]any); ok && len(list) == 0 {
			r.Objects = []*trigger.Object{}
		}
	case trigger.AfterFind:
		return foundBy(r, success)
	}
	return nil
}

// foundBy replaces what was found by what the webhook says.
func foundBy(r *trigger.Request, success any) error {
	if !query.Truthy(success) {
		return nil
	}
	list, ok := success.([]any)
	if !ok {
		return noAgreement()
	}
	objects := make([]*trigger.Object, len(list))
	for i, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return noAgreement()
		}
		class, _ := m["className"].(string)
		if class == "" {
			class = r.Class
		}
		objects[i] = trigger.Found(class, m)
	}
	r.Objects = objects
	return nil
}

// post asks a webhook. What went wrong on the way stays in the log. The answer is nil where the webhook says nothing. code is
// that of errors; 0: 141.
func (c *Cloud) post(ctx context.Context, url string, body map[string]any, log *slog.Logger, what string, code int) (map[string]any, error) {
	code = cmp.Or(code, parseerror.ScriptFailed)
	failed := func(reason string, args ...any) (map[string]any, error) {
		log.Warn("a webhook failed: "+reason, args...)
		return nil, parseerror.New(code, "The webhook of the %s can't be reached.", what)
	}
	text := payloadOf(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, text.reader())
	if err != nil {
		return failed("its address can't be used", "error", err)
	}
	req.ContentLength = text.length
	req.GetBody = func() (io.ReadCloser, error) { return text.reader(), nil }
	req.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		req.Header.Set("X-Parse-Webhook-Key", c.key)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return failed("no answer", "error", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return failed("half an answer", "error", err)
	}
	if len(data) > maxAnswer {
		return failed("its answer is too long")
	}
	done := res.StatusCode < 300
	if done && len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	v, err := query.Decode(data)
	m, ok := v.(map[string]any)
	if !done && !query.Truthy(m["error"]) { // one that says why it refuses is understood, whatever its status
		return failed("its status", "status", res.StatusCode)
	}
	if err != nil || !ok {
		return nil, parseerror.New(code, "Malformed response")
	}
	if e := m["error"]; query.Truthy(e) {
		return nil, parseerror.New(code, "%s", reasonOf(e))
	}
	return m, nil
}

// reasonOf is what a webhook says of its refusal.
func reasonOf(e any) string {
	switch e := e.(type) {
	case string:
		return e
	case map[string]any:
		if s, ok := e["message"].(string); ok && s != "" {
			return s
		}
	}
	return "Script failed. Unknown error."
}
