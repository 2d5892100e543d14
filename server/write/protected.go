package write

import "slices"

// hidden are the fields that answers to the caller's write don't show.
func (w *writing) hidden() map[string]bool {
	if w.o.ProtectedFieldsSaveResponseExempt {
		return nil
	}
	return w.rules.Protection(w.class, w.a).Of(w.id, nil)
}

// answerBody is the answer as JSON, without the fields that are hidden from the caller, unless answers to writes are
// exempt from that. As in parse-server, groups that depend on the object's pointers ("userField:…") don't count here.
func (w *writing) answerBody() []byte {
	hidden := w.hidden()
	if len(hidden) == 0 {
		return w.answer.body()
	}
	names := slices.DeleteFunc(slices.Clone(w.answer.names), func(name string) bool { return hidden[name] })
	return appendObject(nil, names, w.answer.values)
}
