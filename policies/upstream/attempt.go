package upstream

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
)

// attempt is one sending of a request to one worker.
type attempt struct {
	dog  watchdog
	try  cut // by Request.TryTimeout
	last cut // by Request.Deadline

	asked  bool        // the request was found fit to be sent, and a connection was asked for
	reused bool        // that one had been used before
	heard  atomic.Bool // a byte of an answer came
	wrote  bool        // a byte was written, where net/http wasn't in between
	conn   *meteredConn
	mark   int64 // bytes that were on the connection before this request
}

// lane is which of a call's attempts one is.
type lane struct {
	number int
	outrun *cut // made when an attempt in another lane has got an answer; nil: there is no other lane
	hedge  bool // the second of two at once
}

// result is what became of an attempt.
type result struct {
	failure failure
	sent    bool      // at least one byte of the request was written, or may have been
	resp    *Response // of succeeded, refused, unanswered and faulty
	err     error     // of every failure but refused
	took    time.Duration
}

// traced is the result as a trace has it.
func (r *result) traced() (status int, failure string) {
	if r.resp != nil {
		status = r.resp.Status
	}
	if r.failure != succeeded {
		failure = r.failure.String()
	}
	return status, failure
}

// observed has net/http tell what it does.
func (a *attempt) observed(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { a.asked, a.reused = true, false }, // net/http may ask for another one by itself
		GotFirstResponseByte: func() { a.heard.Store(true) },
		GotConn: func(i httptrace.GotConnInfo) {
			a.conn, a.reused = metered(i.Conn), i.Reused
			if a.conn != nil {
				a.mark = a.conn.written.Load()
			}
		},
	})
}

// sent tells whether a byte of the request may have left. net/http waits for its writer before it reports a failure.
func (a *attempt) sent() bool { return a.wrote || a.conn != nil && a.conn.written.Load() != a.mark }

// send asks the worker in seat s once.
func (s *seat) send(ctx context.Context, c *call, l lane) (res result) {
	var (
		a       attempt
		latency time.Duration
		kept    bool // by a stream, which frees the seat later
	)
	ctx1, cancel := context.WithCancel(ctx)
	l.outrun.arm(cancel)
	res = result{failure: unsendable} // if Prepare panics, the seat is still freed
	defer func() {
		if !kept {
			a.dog.stop()
			a.try.close()
			a.last.close()
			l.outrun.close()
			cancel()
			res.took = time.Since(s.entered)
			s.leave(res.failure.learn(latency, c.req))
		}
	}()

	hr, err := s.request(c, l)
	if err != nil {
		return result{failure: unsendable, err: err}
	}
	if c.options.Trace != nil {
		end := c.options.Trace(ctx, Attempt{s.w.target.Name, l.number, l.hedge}, hr.Header)
		defer func() { end(res.traced()) }()
	}
	a.dog.start(c.options.AnswerTimeout, cancel)
	if c.req.TryTimeout > 0 && !c.req.Write && !l.hedge {
		a.try.after(c.req.TryTimeout, func() bool { return c.another(s.w) }, cancel)
	}
	if left, bounded := c.left(); bounded {
		a.last.after(left, nil, cancel)
	}
	answer, err := s.w.ask(ctx1, c, &a, hr)
	latency = time.Since(s.entered)
	if err != nil {
		return s.failed(ctx, c, &a, l, err, false)
	}
	a.dog.progress()

	resp := &Response{Status: answer.StatusCode, Header: answer.Header, Length: answer.ContentLength, Worker: s.w.target.Name, Kind: s.w.target.Kind}
	incoming(resp.Header, s.w.believed())
	whole := bodyless(c.req.Method, answer.StatusCode)
	if !whole && !c.req.Unbuffered {
		resp.Body, whole, err = readBody(answer, c.options.BufferLimit, &a.dog)
		if err != nil {
			answer.Body.Close()
			return s.failed(ctx, c, &a, l, err, true)
		}
	}
	res = result{resp: resp, sent: true, failure: succeeded}
	switch answer.StatusCode {
	case http.StatusServiceUnavailable:
		res.failure = refused
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		res.failure, res.err = unanswered, errUnanswered
	case http.StatusInternalServerError:
		if whole && c.req.Method != http.MethodHead && !isParseError(resp.Body) {
			res.failure, res.err = faulty, errFaulty
		}
	}
	if whole {
		if resp.Body == nil {
			resp.Body = []byte{}
		}
		answer.Body.Close()
		return res
	}
	// The deadline is for the answer; who takes a stream may take it slowly.
	if tooLate, over, lost := a.try.close(), a.last.close(), l.outrun.close(); tooLate || over || lost {
		answer.Body.Close()
		return s.failed(ctx, c, &a, l, context.Canceled, true)
	}
	a.dog.pause()
	kept = true
	res.took = time.Since(s.entered)
	learned := res.failure.learn(latency, c.req)
	s.answered(learned)
	learned.node = balance.Ignored
	resp.Stream = &stream{ctx: ctx, prefix: resp.Body, body: answer.Body, dog: &a.dog, finish: func(lost bool) {
		cancel()
		if lost && c.unread.Load() == nil {
			s.w.failures.Add(1)
			learned = broken.learn(latency, c.req)
		}
		s.leave(learned)
	}}
	resp.Body = nil
	return res
}

// request builds what is sent, without its body.
func (s *seat) request(c *call, l lane) (*http.Request, error) {
	u, err := s.w.addr.at(c.url)
	if err != nil {
		return nil, err
	}
	t := &s.w.target
	h := outgoing(c.req.Header)
	if t.Kind == Bundled && c.req.WriteID != "" {
		h[WriteIDHeader] = []string{c.req.WriteID}
		if l.number == 1 {
			h[FirstAttemptHeader] = isFirst
		}
	}
	if left, bounded := c.left(); bounded {
		h[DeadlineHeader] = []string{milliseconds(left)}
	}
	if c.req.Prepare != nil {
		c.req.Prepare(h, t)
	}
	if c.req.Write {
		hideIdempotencyKey(h)
	}
	host := c.req.Host
	if host == "" {
		host = s.w.addr.Host
	}
	return &http.Request{Method: c.req.Method, URL: u, Host: host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

// failed names the failure that err is. answered: the header of an answer had come.
func (s *seat) failed(ctx context.Context, c *call, a *attempt, l lane, err error, answered bool) result {
	res := result{sent: answered || a.sent(), err: err}
	switch {
	case ctx.Err() != nil:
		res.failure, res.err = cancelled, ended(ctx)
	case c.unread.Load() != nil:
		res.failure, res.err = unread, because(ErrUnread, *c.unread.Load())
	case l.outrun.wasMade():
		res.failure, res.err = outrun, errOutrun
	case a.last.wasMade():
		res.failure, res.err = overdue, errOverdue
	case !a.asked && !a.try.wasMade():
		res.failure, res.err = unsendable, because(ErrUnsendable, err)
	case !res.sent:
		res.failure = unreached
		switch {
		case a.try.wasMade():
			res.err = errLate
		case a.dog.barked():
			res.err = errSilent
		case a.reused:
			res.failure = stale
		}
	case a.try.wasMade():
		res.failure, res.err = late, errLate
	case a.dog.barked():
		res.failure, res.err = silent, errSilent
	case a.reused && !answered && !a.heard.Load():
		res.failure = stale
	default:
		res.failure = broken
	}
	return res
}
