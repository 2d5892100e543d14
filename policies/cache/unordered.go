package cache

import (
	"bytes"
	"encoding/json"

	"github.com/parsescale/parsescale/server/query"
)

// Compare compares a worker's answer to a question with a stored one, of the same status. If a find asks for no order, the
// database gives the objects in any, and any so many of them if a limit, which may be its own, cuts them off. So then the same
// objects are the same answer; as many, if those that both show are alike, decide nothing; and all else is a difference.
func Compare(q *query.Query, stored, now []byte) CheckOutcome {
	if bytes.Equal(stored, now) {
		return Same
	}
	if q == nil || len(q.Order) > 0 || byDistance(q.Where) {
		return Different
	}
	a, b := splitAnswer(stored), splitAnswer(now)
	if a == nil || b == nil || len(a.results) != len(b.results) || !bytes.Equal(a.rest, b.rest) {
		return Different
	}
	outcome := Same
	for id, object := range a.results {
		switch other, shown := b.results[id]; {
		case !shown:
			outcome = Undecided
		case !bytes.Equal(object, other):
			return Different
		}
	}
	return outcome
}

// shownApart is an answer to a find: its objects by their ids, and what it tells beside them.
type shownApart struct {
	results map[string][]byte
	rest    []byte
}

// splitAnswer returns nil for an answer that is none to a find, or whose objects can't be told apart.
func splitAnswer(body []byte) *shownApart {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(members["results"], &list) != nil {
		return nil
	}
	delete(members, "results")
	s := &shownApart{results: make(map[string][]byte, len(list))}
	for _, object := range list {
		var fields map[string]json.RawMessage // a struct would take names in any case
		if json.Unmarshal(object, &fields) != nil {
			return nil
		}
		id := string(fields["objectId"])
		if id == "" || s.results[id] != nil {
			return nil
		}
		s.results[id] = object
	}
	var err error
	if s.rest, err = json.Marshal(members); err != nil { // names are sorted
		return nil
	}
	return s
}
