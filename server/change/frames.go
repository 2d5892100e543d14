package change

import (
	"encoding/json"
	"errors"
)

// Protocol is the version of the frames and of what they mean. A gateway and a worker of different versions don't
// work together; both say so when they meet.
const Protocol = 1

// MaxFrame is the most bytes of a frame, its type included and its length excluded.
const MaxFrame = 16 << 20

// Type says what a frame is.
type Type byte

// The frames. Gateway to worker: Start, Ack, Stop, Ping. Worker to gateway: all others.
const (
	TypeStart   Type = iota + 1 // the first frame: what to serve
	TypeAck                     // a Prepare has been applied: commit
	TypeStop                    // finish what is running, then end
	TypePing                    // answer with Pong
	TypeReady                   // the worker serves
	TypeFailed                  // the worker can't serve, and ends
	TypePrepare                 // changes about to be committed
	TypeDone                    // they are committed
	TypeAbort                   // they never will be
	TypeDrained                 // nothing runs and nothing will be prepared any more
	TypePong
)

var typeNames = [...]string{
	TypeStart: "start", TypeAck: "ack", TypeStop: "stop", TypePing: "ping", TypeReady: "ready", TypeFailed: "failed",
	TypePrepare: "prepare", TypeDone: "done", TypeAbort: "abort", TypeDrained: "drained", TypePong: "pong",
}

func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return "unknown"
}

// Frame is one message of the control stream between a gateway and its worker.
//
// On the wire it is its length as a big-endian uint32, its type, and a payload: JSON for Start and Ready, text for
// Failed, a big-endian uint64 for Ack, Done and Abort, that and the encoded changes for Prepare, nothing for the others.
type Frame struct {
	Type    Type
	ID      uint64   // Ack, Prepare, Done, Abort; prepares are numbered from 1 without gaps
	Changes []Change // Prepare
	Start   Start    // Start
	Ready   Ready    // Ready
	Reason  string   // Failed
}

// Start is what a worker needs to serve.
type Start struct {
	// Protocol is the gateway's version of the protocol; the sender fills it in.
	Protocol int `json:"protocol"`
	// App is the application id.
	App string `json:"app"`
	// Socket is the path of the unix socket to serve HTTP on.
	Socket string `json:"socket"`
	// Session is the name that the worker's connections to a database server must have; "": none is asked for.
	Session string `json:"session,omitempty"`
	// Options are the server's options by parse-server's names. They hold secrets: never log them.
	Options json.RawMessage `json:"options,omitempty"`
}

// Ready is what a worker says of itself once it serves.
type Ready struct {
	Protocol int `json:"protocol"`
	PID      int `json:"pid"`
}

var (
	// ErrTooLarge: a frame is longer than MaxFrame.
	ErrTooLarge = errors.New("the frame is longer than 16 MiB")
	// ErrMalformed: a frame's payload isn't what its type promises.
	ErrMalformed = errors.New("the frame is malformed")
)
