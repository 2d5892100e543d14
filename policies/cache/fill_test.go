package cache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// match and miss are changes that do and don't affect the question below.
var (
	match = []change.Change{create("Game", "g2", fields{"score": 7.0})}
	miss  = []change.Change{create("Game", "g3", fields{"score": 8.0})}
)

func question(t testing.TB) Reading { return find(t, "Game", `{"score":7}`) }

func begin(t testing.TB, c *Cache, wantLeader bool) *Fill {
	t.Helper()
	f, leader := c.Begin(key("q"), question(t))
	if leader != wantLeader {
		t.Fatalf("leader: %v, want %v", leader, wantLeader)
	}
	return f
}

func waitFor(f *Fill) (string, error) {
	e, err := f.Wait(context.Background())
	if err != nil {
		return "", err
	}
	return string(e.Body), nil
}

// Every interleaving of a fill with a change. B: begin, S: store, P: prepare, D: done.
func TestFillsAndChanges(t *testing.T) {
	for _, tc := range []struct {
		steps  string
		stored bool // for a change that affects the answer
	}{
		{"BSPD", false}, // stored, then dropped
		{"BPSD", false}, // dirty
		{"BPDS", false}, // dirty, though the change is over
		{"PBSD", false}, // begun beside an open change
		{"PBDS", false}, // the answer may have been read before the commit
		{"PDBS", true},
	} {
		for name, x := range map[string]struct {
			changes []change.Change
			affects bool
		}{"a match": {match, true}, "no match": {miss, false}} {
			t.Run(tc.steps+"/"+name, func(t *testing.T) {
				c := New(Options{})
				var f *Fill
				var finish func()
				for _, step := range tc.steps {
					switch step {
					case 'B':
						f = begin(t, c, true)
					case 'S':
						f.Store(entry("q"), dependsOn(t, "Game:g1"))
					case 'P':
						finish = c.Prepare(x.changes)
					case 'D':
						finish()
						finish()
					}
				}
				if want := tc.stored || !x.affects; has(c, "q") != want {
					t.Errorf("stored at the end: %v, want %v", !want, want)
				}
				if s := c.Stats(); s.OpenPrepares != 0 || s.Filling != 0 {
					t.Errorf("stats %+v", s)
				}
				c.Purge("", "")
				checkEmpty(t, c)
			})
		}
	}
}

// The same for what only the answer tells: an included object, and a class the worker read.
func TestFillsAndChangesOfDiscoveredDependencies(t *testing.T) {
	for _, tc := range []struct {
		steps  string
		stored bool
	}{
		{"BPSD", false}, {"BPDS", false}, {"PBSD", false}, {"PBDS", false}, {"PDBS", true}, {"BSPD", false},
	} {
		for _, x := range []struct {
			name, depends string
			change        change.Change
			affects       bool
		}{
			{"the included object", "_User:u1", update("_User", "u1", fields{}, fields{}), true},
			{"another object", "_User:u1", update("_User", "u2", fields{}, fields{}), false},
			{"the included object's class", "_User:u1", change.Change{Class: "_User", Kind: change.Schema}, true},
			{"the class", "_Role", create("_Role", "r", fields{}), true},
			{"a join class", "_Join:users:_Role", join(change.Create, "_Join:users:_Role", "r", "u"), true},
			{"everything", "_User:u1", change.Change{Kind: change.Purge}, true},
		} {
			t.Run(tc.steps+"/"+x.name, func(t *testing.T) {
				c := New(Options{})
				var f *Fill
				var finish func()
				for _, step := range tc.steps {
					switch step {
					case 'B':
						f = begin(t, c, true)
					case 'S':
						f.Store(entry("q"), dependsOn(t, x.depends))
					case 'P':
						finish = c.Prepare([]change.Change{x.change})
					case 'D':
						finish()
					}
				}
				if want := tc.stored || !x.affects; has(c, "q") != want {
					t.Errorf("stored at the end: %v, want %v", !want, want)
				}
				c.Purge("", "")
				checkEmpty(t, c)
			})
		}
	}
}

func TestFollowersShareTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		leader := begin(t, c, true)
		answers := make(chan string, 3)
		for range 3 {
			f := begin(t, c, false)
			go func() {
				body, err := waitFor(f)
				answers <- fmt.Sprint(body, err)
			}()
		}
		synctest.Wait()
		if len(answers) > 0 {
			t.Fatal("a follower didn't wait")
		}
		if !leader.Store(entry("q"), Dependencies{}) {
			t.Error("not stored")
		}
		leader.Abandon() // deferred by every leader
		for range 3 {
			if a := <-answers; a != "q<nil>" {
				t.Errorf("a follower got %s", a)
			}
		}
		if !has(c, "q") {
			t.Error("Abandon after Store dropped the entry")
		}
		if leader.Store(entry("again"), Dependencies{}) {
			t.Error("stored twice")
		}
		if s := c.Stats(); s.Fills != 1 || s.Collapsed != 3 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Who joined before a change gets the answer; who comes after it asks anew, and never waits for what is older.
func TestFollowersNeverWaitAcrossAChange(t *testing.T) {
	c := New(Options{})
	first := begin(t, c, true)
	before := begin(t, c, false)
	finish := c.Prepare(match)
	// While the change is open nobody shares.
	alone := begin(t, c, true)
	begin(t, c, true).Abandon()
	finish()
	second := begin(t, c, true)
	after := begin(t, c, false)
	if first.Store(entry("old"), Dependencies{}) || alone.Store(entry("unsure"), Dependencies{}) {
		t.Error("an answer that a change touched was stored")
	}
	if body, err := waitFor(before); body != "old" || err != nil {
		t.Errorf("the follower from before the change got %q, %v", body, err)
	}
	if !second.Store(entry("q"), Dependencies{}) || !has(c, "q") {
		t.Error("the fill after the change isn't stored")
	}
	if body, err := waitFor(after); body != "q" || err != nil {
		t.Errorf("the follower from after the change got %q, %v", body, err)
	}
}

// The leader read an included object, the object changed, others saw that, and then somebody joined: the answer is
// older than what was seen. Only Store learns of the object.
func TestLateFollowersOfDiscoveredDependencies(t *testing.T) {
	user := []change.Change{update("_User", "u1", fields{}, fields{"n": 1.0})}
	other := []change.Change{update("_User", "u2", fields{}, fields{"n": 1.0})}
	for _, tc := range []struct {
		name    string
		changes []change.Change
		before  bool // prepared before the leader began
		finish  bool // finished before the follower joined
		shared  bool
	}{
		{"prepared between", user, false, false, false},
		{"finished between", user, false, true, false},
		{"open all along", user, true, false, false},
		{"open when the leader began", user, true, true, false},
		{"another object", other, false, true, true},
		{"another object, open all along", other, true, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := New(Options{})
			finish := func() {}
			if tc.before {
				finish = c.Prepare(tc.changes)
			}
			leader := begin(t, c, true)
			early := begin(t, c, false)
			if !tc.before {
				finish = c.Prepare(tc.changes)
			}
			if tc.finish {
				finish()
			}
			late := begin(t, c, false)
			leader.Store(entry("q"), dependsOn(t, "_User:u1"))
			if _, err := waitFor(late); (err == nil) != tc.shared || err != nil && !errors.Is(err, ErrLeaderFailed) {
				t.Errorf("the late follower got %v", err)
			}
			// Who joined before the change began shares the answer.
			if _, err := waitFor(early); !tc.before && err != nil {
				t.Errorf("the early follower got %v", err)
			}
			finish()
		})
	}
}

func TestALeaderThatFails(t *testing.T) {
	for name, fail := range map[string]func(*Fill){
		"abandons": func(f *Fill) { f.Abandon(); f.Abandon() },
		"panics": func(f *Fill) {
			defer func() { _ = recover() }()
			defer f.Abandon()
			panic("a bug")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{})
			leader := begin(t, c, true)
			follower := begin(t, c, false)
			follower.Abandon() // not its to end
			if follower.Store(entry("q"), Dependencies{}) {
				t.Error("a follower stored")
			}
			fail(leader)
			if _, err := waitFor(follower); !errors.Is(err, ErrLeaderFailed) {
				t.Errorf("the follower got %v", err)
			}
			if leader.Store(entry("q"), Dependencies{}) || has(c, "q") {
				t.Error("stored after it was abandoned")
			}
			checkEmpty(t, c)
			if !begin(t, c, true).Store(entry("q"), Dependencies{}) {
				t.Error("the next fill isn't stored")
			}
		})
	}
}

// What keeps the leader from asking keeps its followers, too, but nobody who comes later.
func TestALeaderThatIsRefused(t *testing.T) {
	c := New(Options{})
	refusal := errors.New("no room")
	leader, follower := begin(t, c, true), begin(t, c, false)
	follower.Refuse(errors.New("not its to end"))
	leader.Refuse(refusal)
	leader.Abandon() // deferred by every leader
	if _, err := waitFor(follower); !errors.Is(err, refusal) {
		t.Errorf("the follower got %v", err)
	}
	begin(t, c, true).Abandon()
}

func TestAFollowerLeavesWithItsContext(t *testing.T) {
	c := New(Options{})
	leader := begin(t, c, true)
	follower := begin(t, c, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := follower.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if !leader.Store(entry("q"), Dependencies{}) {
		t.Error("the fill suffered")
	}
}

// A leader that was forgotten holds up nobody for ever.
func TestAnOldFillIsJoinedNoMore(t *testing.T) {
	for name, disturb := range map[string]func(*Cache){
		"quiet":      func(*Cache) {},
		"a change":   func(c *Cache) { apply(c, match...) },
		"everything": func(c *Cache) { c.Purge("", "") },
	} {
		t.Run(name, func(t *testing.T) {
			now := newClock()
			c := New(Options{Clock: now.now})
			old := begin(t, c, true)
			now.t = now.t.Add(maxJoin)
			young := begin(t, c, true)
			disturb(c)
			if stored := old.Store(entry("q"), Dependencies{}); stored != (name == "quiet") {
				t.Errorf("the old fill was stored: %v", stored)
			}
			young.Abandon()
			c.Purge("", "")
			checkEmpty(t, c)
		})
	}
}

// When so much has changed since a fill began that some of it is forgotten, the answer isn't stored.
func TestAFillThatTookTooLong(t *testing.T) {
	for _, changes := range []int{2, 3, 20} {
		t.Run(fmt.Sprint(changes), func(t *testing.T) {
			c := New(Options{Recent: 4}) // each change takes two
			f := begin(t, c, true)
			for i := range changes {
				apply(c, create("Post", fmt.Sprint("p", i), fields{}))
			}
			if stored := f.Store(entry("q"), dependsOn(t, "_User:u1")); stored != (changes == 2) {
				t.Errorf("stored: %v", stored)
			}
			if !begin(t, c, true).Store(entry("q"), dependsOn(t, "_User:u1")) {
				t.Error("the next fill isn't stored")
			}
			if len(c.recent.ring) > 4 || len(c.recent.last) > 4 {
				t.Errorf("%d changes are remembered", len(c.recent.ring))
			}
		})
	}
}

func TestManyOpenChangesCountAsTouched(t *testing.T) {
	c := New(Options{})
	var changes []change.Change
	for i := range maxMatched {
		changes = append(changes, create("Game", fmt.Sprint(i), fields{"score": 1.0}))
	}
	finish := c.Prepare(changes)
	if f := begin(t, c, true); !f.Store(entry("q"), Dependencies{}) {
		t.Error("changes that don't match keep an answer from being stored")
	}
	finish2 := c.Prepare(miss)
	if f := begin(t, c, true); f.Store(entry("q"), Dependencies{}) {
		t.Error("stored beside more open changes than are looked at")
	}
	finish()
	finish2()
}

func TestTimeToLiveIsTheLevelsFromTheBeginning(t *testing.T) {
	for _, tc := range []struct {
		level      Level
		took, asks time.Duration // how long the worker took, and the entry's own expiry
		want       time.Duration // from the beginning; 0: not stored
	}{
		{TTL, time.Second, time.Hour, 5 * time.Second},
		{TTL, time.Second, 2 * time.Second, 2 * time.Second},
		{Lossy, 6 * time.Second, time.Hour, 0},
		{Exact, time.Second, time.Hour, time.Hour},
		{Fenced, time.Second, time.Hour, time.Hour},
		{Level(77), time.Second, time.Hour, 0},
	} {
		t.Run(tc.level.String(), func(t *testing.T) {
			now := newClock()
			c := New(Options{Clock: now.now})
			r := question(t)
			r.Level = tc.level
			start := now.t
			f, _ := c.Begin(key("q"), r)
			follower, _ := c.Begin(key("q"), r)
			now.t = start.Add(tc.took)
			e := entry("q")
			e.Expires = start.Add(tc.asks)
			if stored := f.Store(e, Dependencies{}); stored != (tc.want > 0) {
				t.Fatalf("stored: %v", stored)
			}
			if !e.Expires.Equal(start.Add(tc.asks)) {
				t.Error("the caller's entry was changed")
			}
			if got, err := waitFor(follower); got != "q" || err != nil {
				t.Errorf("the follower got %q, %v", got, err)
			}
			if tc.want == 0 {
				checkEmpty(t, c)
				return
			}
			now.t = start.Add(tc.want - 1)
			if !has(c, "q") {
				t.Error("expired too early")
			}
			now.t = start.Add(tc.want)
			if has(c, "q") {
				t.Error("served too long")
			}
			if s := c.Stats(); s.Expirations != 1 {
				t.Errorf("stats %+v", s)
			}
			checkEmpty(t, c)
		})
	}
}
