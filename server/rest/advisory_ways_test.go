package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// The ways in which a step's request reaches the server.

// keysOf are the master keys that steps ask with.
var keysOf = map[string]string{"master": "MASTER", "readonly": "READONLY"}

// headers are the step's credentials and own fields.
func (p *player) headers(s *step) map[string]string {
	h := app()
	switch {
	case s.As == "none":
		h = map[string]string{}
	case s.As == "maintenance":
		h["X-Parse-Maintenance-Key"] = "MAINTENANCE"
	case keysOf[s.As] != "":
		h["X-Parse-Master-Key"] = keysOf[s.As]
	case s.As != "":
		h["X-Parse-Session-Token"] = p.kept[s.As]
	}
	if s.Body != nil {
		h["Content-Type"] = "application/json"
	}
	maps.Copy(h, s.Headers)
	return h
}

var repetition = regexp.MustCompile(`<(\d+)\|([^>]*)>`)

// content is the step's body.
func (s *step) content() string {
	if s.Body == nil {
		return repeated(s.Text)
	}
	return repeated(string(s.Body))
}

func repeated(text string) string {
	return repetition.ReplaceAllStringFunc(text, func(m string) string {
		parts := repetition.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[1]) // it has digits alone
		return strings.Repeat(parts[2], n)
	})
}

// text is a parameter as it stands in a query string.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	data, _ := json.Marshal(v) // it was decoded from JSON
	return string(data)
}

func (p *player) plain(s *step) response {
	method, path, _ := strings.Cut(s.Do+s.Attack, " ")
	if len(s.Query) > 0 {
		values := url.Values{}
		for k, v := range s.Query {
			values.Set(k, text(v))
		}
		path += "?" + values.Encode()
	}
	return p.do(method, path, s.content(), p.headers(s))
}

// members are the parameters of a request whose query is in its body.
func (s *step) members() (map[string]any, error) {
	m := map[string]any{}
	if s.Body != nil {
		if err := json.Unmarshal([]byte(s.content()), &m); err != nil {
			return nil, err
		}
	}
	for k, v := range s.Query {
		m[k] = v
	}
	return m, nil
}

// likeSDKs sends a POST of plain text with the method and the credentials in its body.
func (p *player) likeSDKs(s *step) response {
	method, path, _ := strings.Cut(s.Do+s.Attack, " ")
	m, err := s.members()
	if err != nil { // no object can hold it
		return p.plain(s)
	}
	m["_method"] = method
	headers := maps.Clone(s.Headers)
	if headers == nil {
		headers = map[string]string{}
	}
	headers["Content-Type"] = "text/plain"
	if s.As != "none" {
		m["_ApplicationId"] = "APP"
	}
	switch {
	case s.As == "" || s.As == "none":
	case s.As == "maintenance":
		return p.plain(s)
	case keysOf[s.As] != "":
		m["_MasterKey"] = keysOf[s.As]
	default:
		m["_SessionToken"] = p.kept[s.As]
	}
	data, err := json.Marshal(m)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do("POST", path, string(data), headers)
}

// inBatch sends it as the only request of a batch and unpacks its answer.
func (p *player) inBatch(s *step) response {
	method, path, _ := strings.Cut(s.Do+s.Attack, " ")
	m, err := s.members()
	if err != nil || strings.Contains(path, "?") {
		return p.plain(s)
	}
	body, err := json.Marshal(map[string]any{"requests": []any{map[string]any{"method": method, "path": "/parse" + path, "body": m}}})
	if err != nil {
		p.t.Fatal(err)
	}
	res := p.do("POST", "/batch", string(body), p.headers(s))
	var answers []struct{ Success, Error json.RawMessage }
	if err := json.Unmarshal([]byte(res.body), &answers); err != nil || len(answers) != 1 {
		return res
	}
	if answers[0].Success != nil {
		return response{http.StatusOK, res.header, string(answers[0].Success)}
	}
	return response{http.StatusBadRequest, res.header, string(answers[0].Error)}
}
