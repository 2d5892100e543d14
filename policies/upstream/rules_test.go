package upstream

import (
	"fmt"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	yes, no := true, false
	ask := func(f failure, attempts int) question {
		return question{failure: f, attempts: attempts, limit: 3, inTime: true}
	}
	write := func(q question) question { q.write = true; return q }
	repeats := func(q question) question { q.write, q.repeats = true, true; return q }
	unsent := func(q question) question { q.unsent = true; return q }
	begun := func(q question) question { q.begun = true; return q }
	outOfTime := func(q question) question { q.inTime = false; return q }
	for _, test := range []struct {
		name   string
		q      question
		budget bool
		want   verdict
	}{
		{"read, unreached", ask(unreached, 0), no, again},
		{"read, unreached after all retries", ask(unreached, 4), no, again},
		{"read, broken", ask(broken, 1), yes, again},
		{"read, stale", ask(stale, 1), yes, again},
		{"read, stale before it was sent", unsent(ask(stale, 0)), no, again},
		{"write, stale before it was sent", unsent(write(ask(stale, 0))), no, again},
		{"write, stale before it was sent again", unsent(repeats(ask(stale, 4))), no, again},
		{"begun stream, stale before it was sent", unsent(begun(write(ask(stale, 0)))), yes, giveUp},
		{"read, silent", ask(silent, 1), yes, again},
		{"read, refused", ask(refused, 1), yes, again},
		{"read, last retry", ask(broken, 3), yes, again},
		{"read, no retry left", ask(broken, 4), yes, giveUp},
		{"read, refused, no retry left", ask(refused, 4), yes, hand},
		{"read, faulty", ask(faulty, 1), yes, again},
		{"read, faulty, no retry left", ask(faulty, 4), yes, hand},
		{"write, faulty", write(ask(faulty, 1)), yes, unknown},
		{"read, unanswered", ask(unanswered, 1), yes, again},
		{"read, unanswered, no retry left", ask(unanswered, 4), yes, hand},
		{"write, unanswered", write(ask(unanswered, 1)), yes, unknown},
		{"write with id, unanswered", repeats(ask(unanswered, 1)), yes, again},
		{"write with id, unanswered, no retry left", repeats(ask(unanswered, 4)), yes, unknown},
		{"a stream that the client didn't end", begun(write(ask(unread, 1))), yes, giveUp},
		{"write with id, faulty", repeats(ask(faulty, 1)), yes, again},
		{"read, no budget", ask(broken, 1), no, giveUp},
		{"read, refused, no budget", ask(refused, 1), no, hand},
		{"read, client gone", ask(cancelled, 1), yes, giveUp},
		{"read, late", ask(late, 1), yes, again},
		{"read, overdue", ask(overdue, 1), yes, giveUp},
		{"write, overdue", write(ask(overdue, 1)), yes, unknown},
		{"write, overdue before it was sent", write(ask(overdue, 0)), yes, giveUp},
		{"read with a begun stream", begun(ask(broken, 1)), yes, giveUp},
		{"write, unreached", write(ask(unreached, 0)), no, again},
		{"write, broken", write(ask(broken, 1)), yes, unknown},
		{"write, stale", write(ask(stale, 1)), yes, unknown},
		{"write, silent", write(ask(silent, 1)), yes, unknown},
		{"write, refused", write(ask(refused, 1)), yes, hand},
		{"write, client gone", write(ask(cancelled, 1)), yes, unknown},
		{"write, client gone before it was sent", write(ask(cancelled, 0)), yes, giveUp},
		{"write, unsendable", write(ask(unsendable, 0)), yes, giveUp},
		{"write with id, broken, no budget", repeats(ask(broken, 1)), no, again},
		{"write with id, silent", repeats(ask(silent, 1)), yes, again},
		{"write with id, refused", repeats(ask(refused, 1)), yes, again},
		{"write with id, no retry left", repeats(ask(broken, 4)), yes, unknown},
		{"write with id, no time left", outOfTime(repeats(ask(broken, 1))), yes, unknown},
		{"write with id and a begun stream", begun(repeats(ask(broken, 1))), yes, unknown},
		{"begun stream that reached nobody", begun(write(ask(unreached, 0))), yes, giveUp},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decide(test.q, func(force bool) bool { return force || test.budget })
			if got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	for f := succeeded; f <= unsendable; f++ {
		if f.String() == "" {
			t.Errorf("failure %d has no name", f)
		}
	}
}

func TestBudget(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	b := budget{now: func() time.Time { return now }}
	b.configure(0.2, 10)
	spend := func() (n int) {
		for b.spend(false) {
			n++
		}
		return n
	}
	if n := spend(); n != 100 {
		t.Errorf("%d retries without requests, want 10 a second for 10 s", n)
	}
	if !b.spend(true) || b.spend(false) {
		t.Error("a forced retry must be allowed, and count")
	}
	for range 1000 {
		b.request()
	}
	if n := spend(); n != 199 {
		t.Errorf("%d retries after 1000 requests, want 20 %% less the forced one", n)
	}
	now = now.Add(9 * time.Second)
	if n := spend(); n != 0 {
		t.Errorf("%d retries within the window", n)
	}
	now = now.Add(time.Second)
	if n := spend(); n != 100 {
		t.Errorf("%d retries after the window", n)
	}
	now = now.Add(-time.Hour)
	if n := spend(); n != 100 {
		t.Errorf("%d retries after the clock was set back", n)
	}
	for i := range 30 { // once the burst has left the window, ten retries a second are allowed for ever
		now = now.Add(time.Second)
		for range 10 {
			if !b.spend(false) && i >= 10 {
				t.Errorf("no retry in second %d", i)
			}
		}
	}
}

func TestBackoff(t *testing.T) {
	for round := range 100 {
		top := min(backoffBase<<min(round, 8), backoffCap) + time.Millisecond
		for range 50 {
			if d := backoff(round); d < time.Millisecond || d > top {
				t.Fatalf("round %d: %v, want up to %v", round, d, top)
			}
		}
	}
}

func TestParseAddress(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"10.0.0.1:1337", "tcp 10.0.0.1:1337 http 10.0.0.1:1337 "},
		{":1337", "tcp localhost:1337 http localhost:1337 "},
		{"[::1]:1337", "tcp [::1]:1337 http [::1]:1337 "},
		{"http://a.example", "tcp a.example:80 http a.example "},
		{"https://a.example", "tcp a.example:443 https a.example "},
		{"https://a.example:8443/parse/", "tcp a.example:8443 https a.example:8443 /parse"},
		{"https://a.example/a%20b", "tcp a.example:443 https a.example /a%20b"},
		{"unix//run/p.sock", "unix /run/p.sock http localhost "},
		{"unix:///run/p.sock", "unix /run/p.sock http localhost "},
		{"unix:/run/p.sock", "unix /run/p.sock http localhost "},
		{"", ""}, {"host", ""}, {"host:", ""}, {"host:0", ""}, {"host:99999", ""}, {"host:http", ""},
		{"ftp://host:1", ""}, {"http://u:p@host:1", ""}, {"http://host:1?x", ""}, {"http://host:1#x", ""},
		{"unix/relative", ""}, {"a b:1", ""}, {"a\n:1", ""}, {"http://[::1", ""},
	} {
		a, err := ParseAddress(test.in)
		got := fmt.Sprint(a.Network, " ", a.Dial, " ", a.Scheme, " ", a.Host, " ", a.Path)
		if err != nil {
			got = ""
		}
		if got != test.want {
			t.Errorf("%q: got %q, %v, want %q", test.in, got, err, test.want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"10.0.0.1:1337", "https://a.example/parse", "unix//run/p.sock", "[::1]:80", "http://u:p@h", "a%2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if a.Dial == "" || a.Host == "" || (a.Network != "tcp" && a.Network != "unix") || (a.Scheme != "http" && a.Scheme != "https") {
			t.Errorf("%q: %+v", s, a)
		}
		r := Request{URI: "/x?y"}
		u, err := r.parse()
		if err != nil {
			t.Fatal(err)
		}
		if u, err = a.at(u); err == nil && u.RequestURI() != a.Path+"/x?y" && a.Path == "" {
			t.Errorf("%q: URI %q", s, u.RequestURI())
		}
	})
}
