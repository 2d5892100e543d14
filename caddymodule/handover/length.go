package handover

import (
	"bytes"
	"math"
	"strconv"
)

// requestLength is the length of the HTTP/1.1 request that begins read, with its body; -1 if its head isn't there as a whole
// or doesn't tell. net/http has read the head and found it right.
func requestLength(read []byte) int {
	head := bytes.Index(read, []byte("\r\n\r\n"))
	if head < 0 {
		return -1
	}
	head += len("\r\n\r\n")
	body := 0
	for rest := read[:head]; ; {
		line, more, ok := bytes.Cut(rest, []byte("\r\n"))
		if !ok {
			return head + body
		}
		rest = more
		switch name, value, _ := bytes.Cut(line, []byte(":")); {
		case isField(name, "content-length"):
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || n < 0 || n > math.MaxInt32 {
				return -1
			}
			body = n
		case isField(name, "transfer-encoding"):
			return -1
		}
	}
}

// isField compares a field's name without allocating, and mostly by its length alone.
func isField(name []byte, want string) bool {
	return len(name) == len(want) && bytes.EqualFold(name, []byte(want))
}
