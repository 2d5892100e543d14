package query

// temp
type regexCache struct{}
func badPattern(p, o string) string { return "" }
