package upstream

// failure says how an attempt failed.
type failure uint8

const (
	succeeded failure = iota
	// unreached: no byte of the request was written, nor was there a connection that had been used before.
	unreached
	// stale: a connection that had been used before ended without a byte of an answer. Mostly the worker closed it
	// for being idle while the request was on its way, or was about to be (Node does so after 5 s).
	stale
	// silent: no byte moved in time.
	silent
	// broken: the connection ended or the answer was cut short or malformed.
	broken
	// refused: the answer is a 503.
	refused
	// unanswered: the answer is a 502 or 504 of something before the worker, which may have got the request.
	unanswered
	// faulty: the answer is a 500 that isn't Parse's: something around the app is broken, or the process is, or the
	// request meets a bug. Only an answer of another worker tells which.
	faulty
	// late: Request.TryTimeout is over, and another worker is to be asked.
	late
	// overdue: Request.Deadline has passed.
	overdue
	// outrun: another worker has answered meanwhile.
	outrun
	// cancelled: the caller's context ended.
	cancelled
	// unread: the client's stream ended before its end.
	unread
	// unsendable: the request was never tried, because it can't be sent as it is: net/http or package exchange finds fault with
	// it, or it couldn't be made for this worker.
	unsendable
)

func (f failure) String() string {
	return [...]string{"succeeded", "unreached", "stale", "silent", "broken", "refused", "unanswered", "faulty", "late", "overdue", Outrun, "cancelled", "unread", "unsendable"}[f]
}

// blames tells whether the failure is the worker's.
func (f failure) blames() bool {
	switch f {
	case succeeded, stale, faulty, late, overdue, outrun, cancelled, unread, unsendable:
		return false
	default:
		return true
	}
}

// verdict says what follows from a failed attempt.
type verdict uint8

const (
	// again: ask another worker, or the same one later.
	again verdict = iota
	// giveUp: tell the caller that no worker is available; nothing has happened.
	giveUp
	// unknown: tell the caller that a write's outcome is unknown.
	unknown
	// hand: give the caller the answer that there is.
	hand
)

func (v verdict) String() string { return [...]string{"again", "giveUp", "unknown", "hand"}[v] }

// question is all that the decision about another attempt depends on.
type question struct {
	failure  failure
	write    bool
	repeats  bool // the worker does a write once however often it gets it, and the write has an id
	begun    bool // the client's stream can't be sent again
	attempts int  // so far that may have reached a worker
	unsent   bool // by the last one, on a connection that turned out to be stale
	limit    int  // of repetitions
	inTime   bool // there is time for another attempt
}

// decide is the retry rule. budget is asked at most once, and only if everything else allows a repetition; its
// argument says that the repetition happens whatever the budget says.
func decide(q question, budget func(force bool) bool) verdict {
	switch {
	case q.failure == cancelled || q.failure == overdue || q.failure == unread || q.failure == unsendable:
		if q.write && (q.failure == cancelled || q.failure == overdue) && q.attempts > 0 {
			return unknown
		}
		return giveUp
	case (q.failure == unreached || q.unsent) && !q.begun:
		// It costs no worker anything: only the time is limited, by waiting for a worker.
		return again
	case (q.failure == unreached || q.unsent) && q.attempts == 0:
		return giveUp
	}
	repeatable := !q.begun && q.inTime && q.attempts <= q.limit && (!q.write || q.repeats)
	// The repetition of a write settles what happened to it. That is worth its load.
	if repeatable && budget(q.write) {
		return again
	}
	switch {
	case q.failure == refused:
		return hand
	case q.write:
		return unknown
	case q.failure == faulty || q.failure == unanswered:
		return hand
	default:
		return giveUp
	}
}
