package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// FileOptions say where mail is written to.
type FileOptions struct {
	// Path is the file that mail is appended to, as a JSON object a line. It holds links that open accounts, so that only
	// its owner can read it. Default: mail.log.
	Path string `json:"path"`
}

// File appends mail to a file instead of sending it: for development, where the links are wanted and no mail server is
// there. It is safe for concurrent use.
type File struct {
	path string
	mu   sync.Mutex
}

// NewFile checks the options.
func NewFile(o FileOptions) (*File, error) {
	if o.Path == "" {
		return nil, errors.New("its option path is required")
	}
	return &File{path: o.Path}, nil
}

// SendMail implements Adapter.
func (f *File) SendMail(_ context.Context, m Message) (err error) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line) // which ends the line
	enc.SetEscapeHTML(false)      // links are to be read and copied
	err = enc.Encode(struct {
		Time    time.Time `json:"time"`
		To      string    `json:"to"`
		Subject string    `json:"subject"`
		Text    string    `json:"text"`
		HTML    string    `json:"html,omitempty"`
	}{time.Now().UTC(), m.To, m.Subject, m.Text, m.HTML})
	if err != nil {
		return fmt.Errorf("cannot write a mail: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write a mail: %w", err)
	}
	defer func() {
		if e := file.Close(); err == nil && e != nil {
			err = fmt.Errorf("cannot write a mail: %w", e)
		}
	}()
	// One call, so that the lines of several workers don't mix.
	if _, err := file.Write(line.Bytes()); err != nil {
		return fmt.Errorf("cannot write a mail: %w", err)
	}
	return nil
}
