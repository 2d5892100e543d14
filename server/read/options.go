package read

import (
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/trigger"
)

// Options are the options of reads, by parse-server's names. Start from DefaultOptions.
type Options struct {
	// Options are the options of access.
	auth.Options
	// DefaultLimit is how many results a find returns when it names no limit. Default: 100.
	DefaultLimit int
	// MaxLimit lowers larger limits silently; 0 means no bound. Default: 0.
	MaxLimit int
	// IncludeDepth is the most dots of an include plus one, and IncludeCount the most includes, for callers without
	// a privileged key; a negative number means no bound. Default: -1.
	IncludeDepth, IncludeCount int
	// SubqueryLimit is the most objects a sub-query contributes, for callers without a privileged key; 0 or a
	// negative number means no bound. Default: -1.
	SubqueryLimit int
	// AllowPublicExplain lets everyone ask for the database's plan of a find, not the master key alone. Default: false.
	AllowPublicExplain bool
	// MaxAnswer bounds an answer with included objects, or of an aggregation, in bytes: includes can repeat one object
	// many times.
	// Default: 64 MiB.
	MaxAnswer int
	// AuthData says what of users' authData is shown to those who see it. Default: all.
	AuthData AuthData
	// FileURL appends the URL of a stored file, unquoted and safe within a JSON string. Default: files have no URL.
	FileURL func(dst []byte, name string) []byte
	// Code is the app's own code, which is asked about finds. Default: there is none.
	Code trigger.Code
	// TriggersSeeAll shows the app's code the fields too that are protected from who asks;
	// parse-server's protectedFieldsTriggerExempt. Default: false.
	TriggersSeeAll bool
	// Shared has answers tell whether they would be the same whoever asked, which may cost a second look at a class now
	// and then: of use to a gateway that keeps answers. Default: false.
	Shared bool
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// AuthData shows authData; package identity has it.
type AuthData interface {
	// Show returns a user's authData as the viewer sees it, and whether that is anything else than what is stored.
	Show(stored map[string]any, v identity.Viewer) (shown map[string]any, changed bool)
}

// DefaultOptions returns parse-server's defaults.
func DefaultOptions() Options {
	return Options{
		Options:       auth.DefaultOptions(),
		DefaultLimit:  100,
		IncludeDepth:  -1,
		IncludeCount:  -1,
		SubqueryLimit: -1,
		MaxAnswer:     64 << 20,
		Now:           time.Now,
	}
}
