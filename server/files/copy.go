package files

import "io"

// Copy copies all that r holds. If that is more than limit bytes, it stops with ErrTooLarge.
func Copy(w io.Writer, r io.Reader, limit int64) error {
	n, err := io.Copy(w, io.LimitReader(r, limit))
	if err != nil || n < limit {
		return err
	}
	// The limit is reached; one byte more is too much.
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return ErrTooLarge
	case err != io.EOF:
		return err
	}
	return nil
}
