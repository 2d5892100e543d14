package rest

import (
	"context"
	"runtime/debug"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/storage"
)

// runTransaction runs the sub-requests one after the other in one transaction: all of them take effect or none does. The
// answer is that of a batch, or the error of the first sub-request that failed.
func (a *API) runTransaction(c *call, subs []subRequest) (*answer, error) {
	var committed func()
	body, repeated, err := a.o.Store.Write(c.ctx, c.writeID, func(tx storage.Tx) ([]byte, error) {
		var ctx context.Context
		ctx, committed = storage.Within(c.ctx, tx)
		out := []byte{'['}
		for i := range subs {
			if i > 0 {
				out = append(out, ',')
			}
			s := &subs[i]
			res, err := a.runWithin(&call{ctx: ctx, method: s.method, path: s.path, params: s.params, body: s.body, caller: c.caller, batch: true}, s)
			if err != nil {
				return nil, err
			}
			out = append(append(append(out, `{"success":`...), res.body...), '}')
			if len(out) > maxBatchAnswer {
				return nil, errBatchAnswer
			}
		}
		return append(out, ']'), nil
	})
	if err != nil {
		return nil, err
	}
	if !repeated {
		committed()
	}
	return &answer{body: body}, nil
}

// runWithin runs one sub-request of a transaction. A panic is an error, so that the transaction ends.
func (a *API) runWithin(sub *call, s *subRequest) (res *answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			a.o.Logger.Error("a handler panicked", "method", s.method, "path", s.path, "panic", v, "stack", string(debug.Stack()))
			res, err = nil, errInternal
		}
	}()
	return a.run(s.route, sub)
}

// transactional reads whether the batch is one transaction.
func transactional(c *call) (bool, error) {
	switch string(c.body.get("transaction")) {
	case "", "false", "null":
		return false, nil
	case "true":
		return true, nil
	}
	return false, parseerror.New(parseerror.InvalidJSON, "transaction must be a boolean")
}
