// Package linearity says of a history - what clients did to single objects, what they were answered, and when - whether it
// keeps its promise: that there is an order of the writes, in which each took effect between its call and its return, that
// explains every answer (linearizability). With a bound, an answer may lag behind by so much.
//
// It is for tests. It must not know what wrote and read, nor how.
package linearity

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Kind is what an operation does to its object.
type Kind string

const (
	Create Kind = "create" // done if the object isn't there, else refused
	Update Kind = "update" // done if it is there, else refused
	Delete Kind = "delete" // likewise
	Read   Kind = "read"
)

// Outcome is what became of an operation.
type Outcome string

const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // because the object is there, or isn't
	Unknown Outcome = "unknown" // a write that took effect at some time after its call, or never will; at most once
)

// Operation is one thing that a client did to one object.
type Operation struct {
	Object  string  `json:"object"`
	Client  int     `json:"client"`
	Gateway int     `json:"gateway"`
	Kind    Kind    `json:"kind"`
	Outcome Outcome `json:"outcome"`
	// Version is what a create or an update writes, different from that of any other write to the object; or what a read
	// showed, 0 for an object that isn't there.
	Version int64 `json:"version,omitempty"`
	// Current: the answer may not lag behind, whatever the bound.
	Current bool `json:"current,omitempty"`
	// Call and Return are in nanoseconds since the history began.
	Call   int64 `json:"call"`
	Return int64 `json:"return"`
	// Request is how it was done, in words for a person.
	Request string `json:"request,omitempty"`
}

func (o *Operation) String() string {
	verb := string(o.Kind)
	if o.Version != 0 || o.Kind == Read {
		verb += fmt.Sprintf(" %d", o.Version)
	}
	return fmt.Sprintf("%9.3f to %9.3f ms: client %d at gateway %d: %s: %s  %s",
		float64(o.Call)/1e6, float64(o.Return)/1e6, o.Client, o.Gateway, verb, o.Outcome, o.Request)
}

// History is what happened in one run. Objects aren't there when it begins.
type History struct {
	// Test and Seed are what made it.
	Test string `json:"test"`
	Seed uint64 `json:"seed"`
	// Bound is how old what a read shows may be, in nanoseconds: it was current at some time after the call less the bound, and
	// no write through the same gateway that had returned before the call was missing. 0: a read shows what is current.
	Bound time.Duration `json:"bound"`
	// Failures are what was found wrong, here and elsewhere.
	Failures   []string    `json:"failures,omitempty"`
	Operations []Operation `json:"operations"`

	mu sync.Mutex
}

// Add adds an operation that has ended. It is safe for concurrent use.
func (h *History) Add(o Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Operations = append(h.Operations, o)
}

// Save writes the history to a file and, if there is a violation, a picture of it beside that. Both are named in the text.
func (h *History) Save(folder, name string, v *Violation) (files string, err error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", fmt.Errorf("cannot save a history: %w", err)
	}
	file := filepath.Join(folder, name+".json")
	text, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(file, text, 0o666)
	}
	if err != nil {
		return "", fmt.Errorf("cannot save a history: %w", err)
	}
	if v == nil {
		return file, nil
	}
	picture := filepath.Join(folder, name+".html")
	if err := v.draw(picture); err != nil {
		return "", fmt.Errorf("cannot draw a history: %w", err)
	}
	return file + " and " + picture, nil
}

// Load reads what Save wrote.
func Load(file string) (*History, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot load a history: %w", err)
	}
	h := &History{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, fmt.Errorf("cannot load the history %s: %w", file, err)
	}
	return h, nil
}
