//go:build unix

package succession

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// message is what the two processes say. A descriptor may go with it.
type message struct {
	Word    string `json:"word"`
	Version int    `json:"version,omitempty"` // of sockets
	Count   int    `json:"count,omitempty"`   // of sockets: how many follow
	Address string `json:"address,omitempty"` // of a socket or connection
	Bytes   []byte `json:"bytes,omitempty"`   // of a connection: what was read and not used; of a request: who sends it
}

// The words.
const (
	wordSockets    = "sockets"    // how many follow
	wordSocket     = "socket"     // with its descriptor
	wordPrepared   = "prepared"   // by the new process
	wordGo         = "go"         // to the new process
	wordServing    = "serving"    // by the new process
	wordConnection = "connection" // idle, with its descriptor
	wordRequest    = "request"    // a connection that this process has made for one request
)

// version is that of what is said. A process that doesn't know it gives up before anything has changed.
const version = 1

// maxMessage bounds a message: the bytes of a connection are few.
const maxMessage = 1 << 20

// link is one end of the socket between the two processes.
type link struct {
	*net.UnixConn
	sending sync.Mutex
}

// send says something; with is the descriptor that goes along, nil for none. It stays open here.
func (l *link) send(m message, with syscall.Conn) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body))) //nolint:gosec // bounded by maxMessage in effect
	l.sending.Lock()
	defer l.sending.Unlock()
	if with == nil {
		_, err = l.Write(append(head, body...))
		return err
	}
	raw, err := with.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) {
		_, _, sent = l.WriteMsgUnix(head, unix.UnixRights(int(fd)), nil)
	}); err != nil {
		return err
	}
	if sent != nil {
		return sent
	}
	_, err = l.Write(body)
	return err
}

// receive returns the next message, and the descriptor that came along; nil for none.
func (l *link) receive() (message, *os.File, error) {
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := l.ReadMsgUnix(head[:], oob)
	if err != nil {
		return message{}, nil, err
	}
	if n == 0 {
		return message{}, nil, io.EOF
	}
	file, err := descriptor(oob[:oobn])
	if err != nil {
		return message{}, nil, err
	}
	m, err := l.rest(head[:], n)
	if err != nil && file != nil {
		_ = file.Close()
		file = nil
	}
	return m, file, err
}

// rest reads a message of whose head n bytes are there.
func (l *link) rest(head []byte, n int) (m message, err error) {
	if _, err := io.ReadFull(l, head[n:]); err != nil {
		return m, err
	}
	size := binary.BigEndian.Uint32(head)
	if size > maxMessage {
		return m, fmt.Errorf("a message of %d bytes is too long", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(l, body); err != nil {
		return m, err
	}
	return m, json.Unmarshal(body, &m)
}

// descriptor returns the one that came with a message.
func descriptor(oob []byte) (*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, c := range controls {
		if fds, err := unix.ParseUnixRights(&c); err == nil && len(fds) > 0 {
			unix.CloseOnExec(fds[0])
			return os.NewFile(uintptr(fds[0]), "received"), nil
		}
	}
	return nil, nil
}
