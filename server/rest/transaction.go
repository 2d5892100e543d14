package rest

import (
	"context"
	"runtime/debug"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/write"
)

// runTransaction runs the sub-requests one after the other in one transaction: all of them take effect or none does. The
// answer is that of a batch, or the error of the first sub-request that failed. The app's code is asked about all of
// them before the transaction, in their order, and told of them after it: nobody waits for it in between. Nor does anybody wait
// for passwords to be hashed, or for auth providers.
func (a *API) runTransaction(c *call, subs []subRequest) (*answer, error) {
	if c.writeID != "" && a.o.Cloud != nil && !c.caller.FirstAttempt { // the app's code isn't asked about what is done
		body, found, err := a.o.Store.Written(c.ctx, c.writeID)
		if err != nil || found {
			return &answer{body: body}, err
		}
	}
	room := 0
	asked := make([]*write.Asked, len(subs))
	for i := range subs {
		var err error
		if asked[i], err = a.ask(c, &subs[i]); err != nil {
			return nil, err
		}
		asked[i].Share(&room)
	}
	var committed func()
	var answers []*answer
	body, repeated, err := a.o.Store.Write(c.ctx, c.writeID, func(tx storage.Tx) ([]byte, error) {
		var ctx context.Context
		ctx, committed = storage.Within(c.ctx, tx)
		answers = make([]*answer, len(subs))
		size := 0
		for i := range subs {
			s := &subs[i]
			sub := &call{ctx: ctx, method: s.method, path: s.path, params: s.params, body: s.body, caller: c.caller, batch: true, context: c.context}
			if s.route.writes != "" {
				sub.ctx = write.With(ctx, asked[i])
			}
			var err error
			if answers[i], err = a.runWithin(sub, s); err != nil {
				return nil, err
			}
			if size += len(answers[i].body); size > maxBatchAnswer {
				return nil, errBatchAnswer
			}
		}
		room = maxBatchAnswer - size
		return appendAnswers(nil, answers), nil
	})
	if err != nil {
		return nil, err
	}
	if !repeated {
		committed()
		for _, res := range answers {
			if res.result != nil {
				res.body = res.result.Body
			}
		}
		body = appendAnswers(body[:0], answers)
	}
	return &answer{body: body}, nil
}

func appendAnswers(dst []byte, answers []*answer) []byte {
	dst = append(dst, '[')
	for i, res := range answers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `{"success":`...), res.body...), '}')
	}
	return append(dst, ']')
}

// ask does what a sub-request that writes an object needs before the transaction.
func (a *API) ask(c *call, s *subRequest) (*write.Asked, error) {
	if s.route.writes == "" || s.route.master && !c.caller.Master {
		return nil, nil
	}
	sub := &call{params: s.params}
	class, id := sub.target(s.route.class)
	if s.route.writes == "create" {
		id = ""
	}
	return a.o.Writer.Ask(c.ctx, c.caller, s.route.writes, class, id, s.body.json())
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
