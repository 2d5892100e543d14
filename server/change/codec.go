package change

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// largeChange is the size from which a change loses its images first when a Prepare is too large for a frame.
const largeChange = 64 << 10

// Append appends the frame as it goes over the wire.
//
// A Prepare always fits: when its changes are too many or too large, large ones lose their images, then all do, then
// they become one Purge for each class, or one for the whole app. Whoever receives it throws away more than needed,
// never less.
func (f *Frame) Append(dst []byte) ([]byte, error) { return f.append(dst, MaxFrame) }

// AppendWithin is Append with a bound of its own, in bytes, for the frame without its length: at most MaxFrame, and at
// least 64 for a Prepare to fit.
func (f *Frame) AppendWithin(dst []byte, limit int) ([]byte, error) {
	return f.append(dst, min(limit, MaxFrame))
}

func (f *Frame) append(dst []byte, limit int) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(f.Type))
	switch f.Type {
	case TypeStart, TypeReady:
		var v any = f.Start
		if f.Type == TypeReady {
			v = f.Ready
		}
		b, err := json.Marshal(v)
		if err != nil {
			return dst[:start], fmt.Errorf("cannot encode a %s frame: %w", f.Type, err)
		}
		dst = append(dst, b...)
	case TypeFailed:
		dst = append(dst, f.Reason...)
	case TypeAck, TypeDone, TypeAbort:
		dst = binary.BigEndian.AppendUint64(dst, f.ID)
	case TypePrepare:
		dst = binary.BigEndian.AppendUint64(dst, f.ID)
		dst = appendFitting(dst, f.Changes, start+4+limit)
	}
	n := len(dst) - start - 4
	if n > limit {
		return dst[:start], fmt.Errorf("cannot encode a %s frame: %w", f.Type, ErrTooLarge)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(n))
	return dst, nil
}

// appendFitting appends the changes, cut as far as needed for dst not to grow past max bytes.
func appendFitting(dst []byte, changes []Change, max int) []byte {
	start := len(dst)
	for _, largest := range [...]int{MaxFrame, largeChange, 0} {
		dst = appendChanges(dst[:start], changes, largest, max)
		if len(dst) <= max {
			return dst
		}
	}
	var purges []Change
	seen := map[string]bool{}
	for _, c := range changes {
		if key := c.App + "\x00" + c.Class; !seen[key] {
			seen[key] = true
			purges = append(purges, Change{App: c.App, Class: c.Class, Kind: Purge})
		}
	}
	if dst = appendChanges(dst[:start], purges, MaxFrame, max); len(dst) <= max {
		return dst
	}
	return appendChanges(dst[:start], []Change{{Kind: Purge}}, MaxFrame, max)
}

// appendChanges appends the changes, those longer than largest without their images. It stops past max bytes.
func appendChanges(dst []byte, changes []Change, largest, max int) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(changes)))
	var prev Change
	for _, c := range changes {
		before := len(dst)
		dst = appendChange(dst, &c, &prev)
		if len(dst)-before > largest {
			c = c.cut()
			dst = appendChange(dst[:before], &c, &prev)
		}
		if len(dst) > max {
			return dst
		}
		prev = c
	}
	return dst
}

// Flags of an encoded change: what follows its kind.
const (
	sameApp = 1 << iota // as in the change before
	sameClass
	hasBefore
	hasAfter
	hasTouched
)

func appendChange(dst []byte, c, prev *Change) []byte {
	var flags byte
	if c.App == prev.App {
		flags |= sameApp
	}
	if c.Class == prev.Class {
		flags |= sameClass
	}
	if c.Before != nil {
		flags |= hasBefore
	}
	if c.After != nil {
		flags |= hasAfter
	}
	if c.Touched != nil {
		flags |= hasTouched
	}
	dst = append(dst, byte(c.Kind), flags)
	if flags&sameApp == 0 {
		dst = appendString(dst, c.App)
	}
	if flags&sameClass == 0 {
		dst = appendString(dst, c.Class)
	}
	dst = appendString(dst, c.ObjectID)
	dst = binary.AppendUvarint(dst, c.Version)
	if c.Touched != nil {
		dst = appendStrings(dst, c.Touched)
	}
	if c.Before != nil {
		dst = appendImage(dst, c.Before)
	}
	if c.After != nil {
		dst = appendImage(dst, c.After)
	}
	return dst
}

// appendImage appends an image. A field whose value is no REST value is listed as omitted: unknown, not missing.
func appendImage(dst []byte, i *Image) []byte {
	partial := byte(0)
	if i.Partial {
		partial = 1
	}
	dst = append(dst, partial)
	omitted := i.Omitted
	for name, v := range i.Fields {
		before := len(dst)
		dst = append(dst, 1)
		dst = appendString(dst, name)
		var ok bool
		if dst, ok = appendValue(dst, v, 0); !ok {
			dst = dst[:before]
			omitted = append(omitted[:len(omitted):len(omitted)], name)
		}
	}
	dst = append(dst, 0)
	return appendStrings(dst, omitted)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendString(dst, s)
	}
	return dst
}
