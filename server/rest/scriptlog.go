package rest

import (
	"strconv"
	"time"

	"github.com/parsescale/parsescale/server/logs"
	"github.com/parsescale/parsescale/server/query"
)

// defaultLogs is how many entries of the log an answer has, maxLogs how many it can have.
const defaultLogs, maxLogs = 10, 1000

// logTime is the form of an entry's time.
const logTime = "2006-01-02T15:04:05.000Z"

// scriptLog answers with the last entries of this worker's log.
func (a *API) scriptLog(c *call) (*answer, error) {
	param := func(name string) string {
		for _, f := range c.query {
			if s, ok := f.value.(string); ok && f.name == name {
				return s
			}
		}
		s, _ := c.body.text(name)
		return s
	}
	q := logs.Query{Size: defaultLogs, Errors: param("level") == "error", Ascending: param("order") == "asc"}
	for _, name := range []string{"size", "n"} {
		if n, err := strconv.Atoi(param(name)); err == nil && n > 0 {
			q.Size = min(n, maxLogs)
		}
	}
	q.From, _ = time.Parse(time.RFC3339, param("from"))
	q.Until, _ = time.Parse(time.RFC3339, param("until"))
	entries := []any{}
	if a.o.Log != nil {
		for _, e := range a.o.Log.Query(q) {
			m := map[string]any{}
			for k, v := range e.Fields {
				m[k] = v
			}
			m["level"], m["message"], m["timestamp"] = e.Level, e.Message, e.Time.UTC().Format(logTime)
			entries = append(entries, m)
		}
	}
	return &answer{body: query.AppendJSON(nil, entries)}, nil
}
