package cloud

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// maxAnswer bounds the answer of a webhook, in bytes.
const maxAnswer = 20 << 20

// body is a request as parse-server sends it to webhooks.
func (r *Request) body() []byte {
	headers := make(map[string]any, len(r.Headers))
	for k, v := range r.Headers {
		headers[k] = v
	}
	m := map[string]any{
		"params": r.Params, "master": r.Master, "isReadOnly": r.ReadOnly, "installationId": r.InstallationID, "log": map[string]any{},
		"headers": headers, "ip": r.IP, "functionName": r.FunctionName, "context": r.Context,
	}
	if r.User != nil {
		m["user"] = r.User
	}
	return query.AppendJSON(nil, m)
}

// post asks a webhook. What went wrong on the way stays in the log.
func (c *Cloud) post(ctx context.Context, url string, r *Request) (any, error) {
	failed := func(what string, args ...any) (any, error) {
		r.Log.Warn("a webhook failed: "+what, append([]any{"function", r.FunctionName}, args...)...)
		return nil, parseerror.New(parseerror.ScriptFailed, "The webhook of the function can't be reached.")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(r.body()))
	if err != nil {
		return failed("its address can't be used", "error", err)
	}
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
	if res.StatusCode >= 300 {
		return failed("its status", "status", res.StatusCode)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	v, err := query.Decode(data)
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, parseerror.New(parseerror.ScriptFailed, "Malformed response")
	}
	switch e := m["error"].(type) {
	case nil, bool:
	case string:
		if e != "" {
			return nil, parseerror.New(parseerror.ScriptFailed, "%s", e)
		}
	case map[string]any:
		text, _ := e["message"].(string)
		if text == "" {
			text = "Script failed. Unknown error."
		}
		return nil, parseerror.New(parseerror.ScriptFailed, "%s", text)
	}
	out, there := m["success"]
	if !there {
		return nil, nil
	}
	return out, nil
}
