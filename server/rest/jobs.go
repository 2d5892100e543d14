package rest

import (
	"fmt"
	"net/http"
	"time"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// The registry of scheduled jobs. This server has no jobs, so none can be run or scheduled; what another server on the
// same database has scheduled is shown, and can be deleted.

// schedules returns every schedule as JSON values.
func (a *API) schedules(c *call) ([]any, error) {
	out := []any{}
	err := a.o.Store.Read(c.ctx, func(s storage.Snapshot) error {
		out = out[:0]
		sch, err := s.Schema(c.ctx)
		if err != nil {
			return err
		}
		return s.Find(c.ctx, &storage.Find{Schema: sch, Class: sch.Class(jobSchedule), Limit: maxSchedules}, func(r storage.Row) error {
			v, err := query.Decode(r.AppendJSON(nil, nil))
			out = append(out, v)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list the scheduled jobs: %w", err)
	}
	return out, nil
}

// maxSchedules bounds an answer.
const maxSchedules = 1000

func (a *API) jobs(c *call) (*answer, error) {
	all, err := a.schedules(c)
	if err != nil {
		return nil, err
	}
	return &answer{body: query.AppendJSON(nil, all)}, nil
}

func (a *API) jobsInUse(c *call) (*answer, error) {
	all, err := a.schedules(c)
	if err != nil {
		return nil, err
	}
	names := []any{}
	for _, v := range all {
		if m, ok := v.(map[string]any); ok {
			names = append(names, m["jobName"])
		}
	}
	return &answer{body: query.AppendJSON(nil, map[string]any{"in_use": names, "jobs": []any{}})}, nil
}

// runJob answers for a job, of which there are none.
func (a *API) runJob(c *call) (*answer, error) {
	if c.caller.ReadOnly {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "read-only masterKey isn't allowed to run a job.")
	}
	return nil, parseerror.New(parseerror.ScriptFailed, "Invalid job.")
}

// scheduleJob adds or changes a schedule. There are no jobs, so that only one that names none can be stored, as
// parse-server allows; it is for whoever looks for schedules elsewhere.
func (a *API) scheduleJob(c *call) (*answer, error) {
	v := c.body.get("job_schedule")
	if len(v) == 0 || v[0] != '{' {
		return nil, parseerror.New(parseerror.InvalidJSON, "job_schedule must be an object")
	}
	b, err := parseBody(v)
	if err != nil {
		return nil, err
	}
	if truthy(b.get("jobName")) {
		return nil, parseerror.New(parseerror.ScriptFailed, "Cannot Schedule a job that is not deployed")
	}
	if b.get("startAfter") == nil {
		b.members = append(b.members, member{"startAfter", append(query.AppendTime([]byte{'"'}, time.Now()), '"')})
		b.raw = nil
	}
	sub := *c
	sub.body = b
	if c.method == http.MethodPost {
		return create(jobSchedule)(a, &sub)
	}
	res, err := update(jobSchedule)(a, &sub)
	if err != nil {
		return nil, err
	}
	// parse-server wraps this answer once more.
	return &answer{body: append(append([]byte(`{"response":`), res.body...), '}')}, nil
}

func (a *API) deleteSchedule(c *call) (*answer, error) { return remove(jobSchedule)(a, c) }

const jobSchedule = "_JobSchedule"
