package read

import (
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// shaper says how each row of a find is shown. Rows of one kind share a Shape, so that showing one allocates nothing.
type shaper struct {
	r      *reading
	k      *question
	extra  func([]byte) []byte
	common storage.Shape
	user   bool // the class is _User
}

func (r *reading) shaper(k *question, extra func([]byte) []byte) *shaper {
	s := &shaper{r: r, k: k, extra: extra, user: k.name == schema.User}
	s.common = s.shape(k.protect.Hidden, true)
	return s
}

// shape returns the shape that hides some fields beside those that weren't asked for.
func (s *shaper) shape(hidden map[string]bool, hideAuthData bool) storage.Shape {
	shape := storage.Shape{Keep: s.k.fields.keep, Hide: hidden, FileURL: s.r.o.FileURL, Extra: s.extra}
	if len(s.k.fields.drop) > 0 || s.user {
		hide := make(map[string]bool, len(hidden)+len(s.k.fields.drop)+3)
		for f := range hidden {
			hide[f] = true
		}
		for f := range s.k.fields.drop {
			hide[f] = true
		}
		if s.user {
			hide["password"], hide["sessionToken"] = true, true
			if hideAuthData {
				hide["authData"] = true
			}
		}
		shape.Hide = hide
	}
	return shape
}

// of returns the shape of a row.
func (s *shaper) of(row storage.Row) (*storage.Shape, error) {
	seesAuthData := s.user && (s.r.a.Privileged() || row.ObjectID() == s.r.a.UserID) && s.k.fields.shows("authData")
	if !seesAuthData && !s.k.protect.PerObject() {
		return &s.common, nil
	}
	id := row.ObjectID()
	if !seesAuthData && len(s.k.protect.ByField) == 0 && id != s.k.protect.OwnID {
		return &s.common, nil
	}
	o, err := row.Object()
	if err != nil {
		return nil, err
	}
	hideAuthData := !seesAuthData || emptyAuthData(o["authData"])
	shown, changed := map[string]any(nil), false
	if !hideAuthData {
		shown, changed = s.r.showAuthData(o["authData"])
	}
	protected := s.k.protect.Of(id, o)
	shape := s.shape(protected, hideAuthData || changed)
	if changed && !protected["authData"] {
		// In place of what is stored, which is hidden.
		shape.Extra = func(dst []byte) []byte {
			dst = query.AppendJSON(append(dst, `,"authData":`...), shown)
			if s.extra != nil {
				dst = s.extra(dst)
			}
			return dst
		}
	}
	return &shape, nil
}

// emptyAuthData reports whether no provider is linked: parse-server leaves such authData out.
func emptyAuthData(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return true
	}
	for _, data := range m {
		if data != nil {
			return false
		}
	}
	return true
}

// appendFile appends a file as it is shown outside of arrays and objects: with its URL.
func (r *reading) appendFile(dst []byte, name string) []byte {
	if r.o.FileURL == nil {
		return query.AppendJSON(dst, query.File{Name: name})
	}
	dst = append(dst, `{"__type":"File","name":`...)
	dst = query.AppendString(dst, name)
	dst = append(dst, `,"url":"`...)
	return append(r.o.FileURL(dst, name), `"}`...)
}
