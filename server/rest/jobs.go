package rest

import (
	"fmt"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// The registry of scheduled jobs. This server has no jobs, so none can be scheduled; what another server on the same
// database has scheduled is shown, and can be deleted.

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
		if m, ok := v.(map[string]any); ok && m["jobName"] != nil {
			names = append(names, m["jobName"])
		}
	}
	return &answer{body: query.AppendJSON(nil, map[string]any{"in_use": names, "jobs": []any{}})}, nil
}

func (a *API) scheduleJob(c *call) (*answer, error) {
	return nil, parseerror.New(parseerror.ScriptFailed, "Cannot Schedule a job that is not deployed")
}

func (a *API) deleteSchedule(c *call) (*answer, error) { return remove(jobSchedule)(a, c) }

const jobSchedule = "_JobSchedule"
