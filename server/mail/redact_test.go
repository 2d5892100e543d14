package mail

import "testing"

func TestRedactWord(t *testing.T) {
	for _, tt := range []struct{ text, word, want string }{
		{"cannot mail ann: ann@example.com is unknown to ann", "ann", "cannot mail redacted: redacted@example.com is unknown to redacted"},
		{"Hannes, Änn and ann1", "ann", "Hannes, Änn and ann1"},
		{"annann ann", "ann", "annann redacted"},
		{"ann", "ann", "redacted"},
		{"<a.b@example.com>", "a.b@example.com", "<redacted>"},
		{"nobody", "", "nobody"},
		{"\xffann\xff", "ann", "\xffredacted\xff"},
	} {
		if got := redactWord(tt.text, tt.word); got != tt.want {
			t.Errorf("%q without %q: %q, want %q", tt.text, tt.word, got, tt.want)
		}
	}
}
