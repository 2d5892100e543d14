package supervisor

import (
	"bufio"
	"bytes"
	"io"
)

// maxLine bounds a line of a worker's output, in bytes. What is longer is cut.
const maxLine = 8 << 10

// forwardLines calls line for each line of r, without its end, until r ends. The argument of line is valid during the
// call only.
func forwardLines(r io.Reader, line func([]byte)) {
	in := bufio.NewReaderSize(r, maxLine)
	cut := false // the rest of a line that is too long
	for {
		text, more, err := in.ReadLine()
		if err != nil {
			return
		}
		if !cut {
			if more {
				text = append(bytes.Clone(text), "… (cut)"...)
			}
			if len(bytes.TrimSpace(text)) > 0 {
				line(text)
			}
		}
		cut = more
	}
}
