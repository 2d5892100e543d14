package websockets

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// frame is an unmasked frame, as servers send them.
func frame(op byte, payload []byte) []byte {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

// TestFrames cuts a stream of frames of all sizes in pieces of all sizes.
func TestFrames(t *testing.T) {
	var stream []byte
	var ends []int
	for _, n := range []int{0, 1, 125, 126, 300, 70_000, 5} {
		stream = append(stream, frame(1, make([]byte, n))...)
		ends = append(ends, len(stream))
	}
	masked := append([]byte{0x81, 0x80 | 3, 1, 2, 3, 4}, "abc"...)
	stream = append(stream, masked...)
	ends = append(ends, len(stream))
	for _, piece := range []int{1, 2, 3, 7, 1000, len(stream)} {
		var f frames
		var got []int
		for at := 0; at < len(stream); {
			at += f.next(stream[at:min(at+piece, len(stream))])
			if f.between() {
				got = append(got, at)
			}
		}
		if len(got) != len(ends) {
			t.Fatalf("pieces of %d: frames end at %v, not at %v", piece, got, ends)
		}
		for i := range ends {
			if got[i] != ends[i] {
				t.Errorf("pieces of %d: a frame ends at %d, not at %d", piece, got[i], ends[i])
			}
		}
	}
}

// pair returns a conn of the set and what its client has.
func pair(t *testing.T, s *Set) (*conn, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	c := s.add(ours)
	t.Cleanup(func() { _ = c.Close(); _ = theirs.Close() })
	return c, theirs
}

// TestLeaveBetweenMessages ends a WebSocket in the middle of a message: the message comes whole, the close frame follows, and
// nothing after it.
func TestLeaveBetweenMessages(t *testing.T) {
	var s Set
	c, client := pair(t, &s)
	message := frame(2, bytes.Repeat([]byte("x"), 300))
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(client)
		got <- b
	}()
	if _, err := c.Write(message[:100]); err != nil {
		t.Fatal(err)
	}
	c.leave()
	if n, err := c.Write(append(append([]byte{}, message[100:]...), frame(1, []byte("late"))...)); err != nil || n != len(message)-100+6 {
		t.Fatal(n, err)
	}
	if n, err := c.Write(frame(1, []byte("later"))); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	_ = c.Close()
	if b := <-got; !bytes.Equal(b, append(message, goingAway...)) {
		t.Errorf("the client got %d bytes, which end in %x", len(b), b[max(0, len(b)-10):])
	}
}

// TestWorkerHasClosed: a worker that has said goodbye itself isn't interrupted.
func TestWorkerHasClosed(t *testing.T) {
	var s Set
	c, client := pair(t, &s)
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(client)
		got <- b
	}()
	own := frame(opClose, []byte{3, 232})
	if _, err := c.Write(own); err != nil {
		t.Fatal(err)
	}
	c.leave()
	_ = c.Close()
	if b := <-got; !bytes.Equal(b, own) {
		t.Errorf("the client got %x", b)
	}
}

// TestCloseSpread ends twenty over a time: none before its turn, and each with 1001; a client that doesn't answer is cut off.
func TestCloseSpread(t *testing.T) {
	const n, over = 20, 400 * time.Millisecond
	var s Set
	var mu sync.Mutex
	var times []time.Duration
	var clients sync.WaitGroup
	begin := time.Now()
	for i := range n {
		c, client := pair(t, &s)
		clients.Go(func() {
			b := make([]byte, len(goingAway))
			if _, err := io.ReadFull(client, b); err != nil || !bytes.Equal(b, goingAway) {
				t.Errorf("got %x, %v", b, err)
			}
			mu.Lock()
			times = append(times, time.Since(begin))
			mu.Unlock()
			if i > 0 {
				_ = c.Close() // as the proxy does when both have said goodbye
			}
		})
	}
	s.Close(over)
	clients.Wait()
	if took := time.Since(begin); took < linger {
		t.Errorf("the client that doesn't answer was cut off after %s", took)
	}
	for i, at := range times {
		if due := over * time.Duration(i) / n; at < due {
			t.Errorf("number %d was ended after %s, before %s", i, at, due)
		}
	}
	if s.Count() != 0 {
		t.Errorf("%d are left", s.Count())
	}
	_, late := pair(t, &s)
	b := make([]byte, len(goingAway))
	if _, err := io.ReadFull(late, b); err != nil || !bytes.Equal(b, goingAway) {
		t.Errorf("one that comes late got %x, %v", b, err)
	}
}
