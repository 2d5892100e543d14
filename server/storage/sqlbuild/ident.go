package sqlbuild

// AppendIdent appends name as a quoted SQL identifier. A NUL, which would end the statement's text, becomes U+FFFD, so
// that whatever the name is, it stays one identifier.
func AppendIdent(dst []byte, name string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(name); i++ {
		switch c := name[i]; c {
		case '"':
			dst = append(dst, '"', '"')
		case 0:
			dst = append(dst, "\uFFFD"...)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
