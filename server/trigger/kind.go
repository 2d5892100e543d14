package trigger

import (
	"errors"
	"fmt"
)

// Kind is when a trigger runs.
type Kind uint8

// The kinds of triggers, in parse-server's order. Those of LiveQuery can be registered, and nothing calls them yet.
const (
	BeforeLogin Kind = iota
	AfterLogin
	AfterLogout
	BeforePasswordResetRequest
	BeforeSave
	AfterSave
	BeforeDelete
	AfterDelete
	BeforeFind
	AfterFind
	BeforeConnect
	BeforeSubscribe
	AfterEvent
)

var names = [...]string{
	"beforeLogin", "afterLogin", "afterLogout", "beforePasswordResetRequest", "beforeSave", "afterSave", "beforeDelete", "afterDelete",
	"beforeFind", "afterFind", "beforeConnect", "beforeSubscribe", "afterEvent",
}

// String returns the name of the JavaScript API.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ParseKind returns the kind of a name.
func ParseKind(name string) (Kind, bool) {
	for k, n := range names {
		if n == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// CheckClass reports why a class can't have a trigger of a kind; nil: it can. The sentences are parse-server's.
func CheckClass(k Kind, class string) error {
	switch {
	case k == BeforeSave && class == "_PushStatus":
		return errors.New("Only afterSave is allowed on _PushStatus") //nolint:revive,staticcheck // parse-server's words
	case (k == BeforeLogin || k == AfterLogin || k == BeforePasswordResetRequest) && class != "_User":
		return errors.New("Only the _User class is allowed for the beforeLogin, afterLogin, and beforePasswordResetRequest triggers") //nolint:revive,staticcheck // parse-server's words
	case k == AfterLogout && class != "_Session":
		return errors.New("Only the _Session class is allowed for the afterLogout trigger.") //nolint:revive,staticcheck // parse-server's words
	case k != AfterLogout && class == "_Session":
		return errors.New("Only the afterLogout trigger is allowed for the _Session class.") //nolint:revive,staticcheck // parse-server's words
	case class == ConfigClass && !Saves.Has(k):
		return errors.New("only beforeSave and afterSave are triggers of the configuration")
	case class == FileClass && !(Saves | Deletes | Finds).Has(k):
		return errors.New("only saves, deletions and finds are triggers of files")
	}
	return nil
}

// Set is a set of kinds.
type Set uint16

// Of returns the set of some kinds.
func Of(kinds ...Kind) Set {
	var s Set
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

// Has reports whether one of the kinds is in the set.
func (s Set) Has(kinds ...Kind) bool { return s&Of(kinds...) != 0 }

// Sets of kinds that go together.
const (
	Saves   Set = 1<<BeforeSave | 1<<AfterSave
	Deletes Set = 1<<BeforeDelete | 1<<AfterDelete
	Finds   Set = 1<<BeforeFind | 1<<AfterFind
	// Told are those that learn of what is done.
	Told Set = 1<<AfterSave | 1<<AfterDelete | 1<<AfterLogin | 1<<AfterLogout
)
