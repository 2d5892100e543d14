package write

import "slices"

// answerBody is the answer as JSON, without the fields that are hidden from the caller, unless answers to writes are
// exempt from that. As in parse-server, groups that depend on the object's pointers ("userField:…") don't count here.
func (w *writing) answerBody() []byte {
	if w.o.ProtectedFieldsSaveResponseExempt {
		return w.answer.body()
	}
	hidden := w.rules.Protection(w.class, w.a).Of(w.id, nil)
	names := slices.DeleteFunc(slices.Clone(w.answer.names), func(name string) bool { return hidden[name] })
	return appendObject(nil, names, w.answer.values)
}
