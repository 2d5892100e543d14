package linearity

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// limit is more than any check here takes.
const limit = time.Minute

// Hand-made operations on one object, through gateway 0.
func create(version, call, ret int64) Operation { return operation(Create, Done, version, call, ret) }

func update(version, call, ret int64) Operation { return operation(Update, Done, version, call, ret) }

func remove(call, ret int64) Operation { return operation(Delete, Done, 0, call, ret) }

func read(version, call, ret int64) Operation { return operation(Read, Done, version, call, ret) }

func operation(k Kind, o Outcome, version, call, ret int64) Operation {
	return Operation{Object: "x", Kind: k, Outcome: o, Version: version, Call: call, Return: ret}
}

func lost(o Operation) Operation {
	o.Outcome = Unknown
	return o
}

func refused(o Operation) Operation {
	o.Outcome = Refused
	return o
}

func elsewhere(o Operation) Operation {
	o.Gateway = 1
	return o
}

func current(o Operation) Operation {
	o.Current = true
	return o
}

// TestCheck judges hand-made histories. culprit is the time at which the first answer came that can't be explained; 0: none.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name    string
		bound   time.Duration
		history []Operation
		culprit int64
	}{
		{"nothing", 0, nil, 0},
		{"reads see writes", 0, []Operation{read(0, 1, 2), create(1, 3, 4), read(1, 5, 6), update(2, 7, 8), read(2, 9, 10), remove(11, 12), read(0, 13, 14)}, 0},
		{"during a write a read shows either", 0, []Operation{create(1, 1, 2), update(2, 3, 8), read(1, 4, 5), read(2, 6, 7)}, 0},
		{"a read ends long after", 0, []Operation{create(1, 1, 2), read(1, 3, 99), update(2, 4, 5), update(3, 6, 7), read(3, 8, 9)}, 0},
		{"a stale read", 0, []Operation{create(1, 1, 2), update(2, 3, 4), read(2, 5, 6), read(1, 7, 8)}, 8},
		{"a stale read, nobody having seen the write", 0, []Operation{create(1, 1, 2), update(2, 3, 4), read(1, 7, 8)}, 8},
		{"a read of what isn't written yet", 0, []Operation{create(1, 1, 2), read(2, 3, 4), update(2, 5, 6)}, 4},
		{"a read of what nobody wrote", 0, []Operation{create(1, 1, 2), read(7, 3, 4)}, 4},
		{"time runs backwards during a write", 0, []Operation{create(1, 1, 2), update(2, 3, 20), read(2, 4, 5), read(1, 6, 7)}, 7},
		{"two writes at once, seen in one order", 0, []Operation{create(1, 1, 2), update(2, 3, 20), update(3, 4, 21), read(3, 5, 6), read(2, 7, 8), read(2, 22, 23)}, 0},
		{"two writes at once, seen in both orders", 0, []Operation{create(1, 1, 2), update(2, 3, 20), update(3, 4, 21), read(3, 5, 6), read(2, 7, 8), read(3, 22, 23)}, 23},
		{"an acknowledged write is lost", 0, []Operation{create(1, 1, 2), update(2, 3, 4), read(1, 5, 6), read(1, 7, 8)}, 6},
		{"an acknowledged create is lost", 0, []Operation{create(1, 1, 2), read(0, 3, 4)}, 4},
		{"an acknowledged delete is lost", 0, []Operation{create(1, 1, 2), remove(3, 4), read(1, 5, 6)}, 6},
		{"a deleted object comes back", 0, []Operation{create(1, 1, 2), remove(3, 4), create(2, 5, 6), read(0, 7, 8)}, 8},
		{"two deletes are acknowledged", 0, []Operation{create(1, 1, 2), remove(3, 6), remove(4, 5)}, 6},
		{"two creates are acknowledged", 0, []Operation{create(1, 1, 2), create(2, 3, 4)}, 4},
		{"of two deletes at once one is refused", 0, []Operation{create(1, 1, 2), remove(3, 6), refused(remove(4, 5))}, 0},
		{"an update of an object that is there is refused", 0, []Operation{create(1, 1, 2), refused(update(2, 3, 4))}, 4},
		{"an update before the create is refused", 0, []Operation{refused(update(2, 1, 3)), create(1, 2, 4)}, 0},
		{"a create of what is there is refused", 0, []Operation{create(1, 1, 2), refused(create(2, 3, 4)), read(1, 5, 6)}, 0},
		{"a refused write takes effect", 0, []Operation{create(1, 1, 2), refused(create(2, 3, 4)), read(2, 5, 6)}, 6},
		{"a lost write never takes effect", 0, []Operation{create(1, 1, 2), lost(update(2, 3, 4)), read(1, 5, 6)}, 0},
		{"a lost write takes effect late", 0, []Operation{create(1, 1, 2), lost(update(2, 3, 4)), read(1, 5, 6), read(2, 7, 8), read(2, 9, 10)}, 0},
		{"a lost write takes effect after another", 0, []Operation{create(1, 1, 2), lost(update(2, 3, 4)), update(3, 5, 6), read(3, 7, 8), read(2, 9, 10)}, 0},
		{"a lost write takes effect twice", 0, []Operation{create(1, 1, 2), lost(update(2, 3, 4)), read(2, 5, 6), update(3, 7, 8), read(3, 9, 10), read(2, 11, 12)}, 12},
		{"a lost write is seen before it is sent", 0, []Operation{create(1, 1, 2), read(2, 3, 4), lost(update(2, 5, 6))}, 4},
		{"a lost delete shows by a refusal", 0, []Operation{create(1, 1, 2), lost(remove(3, 4)), refused(update(2, 5, 6)), read(0, 7, 8), create(3, 9, 10), read(3, 11, 12)}, 0},
		{"after a lost delete the object comes and goes", 0, []Operation{create(1, 1, 2), lost(remove(3, 4)), read(0, 5, 6), read(1, 7, 8)}, 8},
		{"objects are on their own", 0, []Operation{create(1, 1, 2), {Object: "y", Kind: Read, Outcome: Done, Call: 3, Return: 4}}, 0},

		{"within the bound another gateway's write is missing", 10, []Operation{create(1, 1, 2), update(2, 20, 21), elsewhere(read(1, 30, 31))}, 0},
		{"beyond the bound it is missing", 10, []Operation{create(1, 1, 2), update(2, 20, 21), elsewhere(read(1, 32, 33))}, 33},
		{"within the bound answers go back and forth", 10, []Operation{create(1, 1, 2), update(2, 20, 21), elsewhere(read(2, 22, 23)), elsewhere(read(1, 24, 25))}, 0},
		{"two bounds back", 10, []Operation{create(1, 1, 2), update(2, 20, 21), update(3, 24, 25), elsewhere(read(2, 34, 35)), elsewhere(read(1, 35, 36))}, 36},
		{"a bound is no way into the future", 10, []Operation{create(1, 1, 2), elsewhere(read(2, 20, 21)), update(2, 22, 23)}, 21},
		{"an own write is missing within the bound", 10, []Operation{create(1, 1, 2), update(2, 20, 21), read(1, 22, 23)}, 23},
		{"an own write is missing while another gateway writes", 10, []Operation{elsewhere(create(1, 1, 2)), update(2, 20, 21), elsewhere(update(3, 22, 23)), read(1, 24, 25)}, 25},
		{"an own write shows though another gateway has written since", 10, []Operation{elsewhere(create(1, 1, 2)), update(2, 20, 21), elsewhere(update(3, 22, 23)), read(2, 24, 25)}, 0},
		// The other's write may have come first, or second.
		{"an own write and another's at once", 10, []Operation{elsewhere(create(1, 1, 2)), update(2, 20, 30), elsewhere(update(3, 21, 29)), read(2, 31, 32)}, 0},
		{"another's write at once with an own", 10, []Operation{elsewhere(create(1, 1, 2)), update(2, 20, 30), elsewhere(update(3, 21, 29)), read(3, 31, 32)}, 0},
		{"an own write in flight may be missing", 10, []Operation{elsewhere(create(1, 1, 2)), update(2, 20, 30), read(2, 21, 22), read(1, 23, 24)}, 0},
		{"an own write is missing, while another gateway reads the same", 10, []Operation{elsewhere(create(1, 1, 2)), elsewhere(read(1, 3, 4)), update(2, 20, 21), read(1, 22, 23), elsewhere(read(1, 24, 25))}, 23},
		{"a current answer lags", 10, []Operation{create(1, 1, 2), update(2, 20, 21), current(elsewhere(read(1, 22, 23)))}, 23},
		{"a deletion elsewhere", 10, []Operation{create(1, 1, 2), remove(20, 21), elsewhere(read(1, 22, 23)), elsewhere(read(0, 24, 25)), elsewhere(read(1, 32, 33))}, 33},
		{"an own deletion is missing", 10, []Operation{create(1, 1, 2), remove(20, 21), elsewhere(create(2, 22, 23)), elsewhere(remove(24, 25)), read(1, 26, 27)}, 27},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &History{Bound: test.bound, Operations: test.history}
			v, err := h.Check(limit)
			switch {
			case err != nil:
				t.Error(err)
			case test.culprit == 0 && v != nil:
				t.Error(v)
			case test.culprit != 0 && v == nil:
				t.Error("it is taken for good")
			case test.culprit != 0 && v.Operation.Return != test.culprit:
				t.Errorf("found at another time than %d: %v", test.culprit, v)
			}
		})
	}
}

// TestUndecided: what can't be decided in time isn't taken for good.
func TestUndecided(t *testing.T) {
	h := &History{Operations: []Operation{create(1, 1, 2)}}
	for i := range int64(40) { // in any order, and none explains the last answer
		h.Add(update(2+i, 3, 100))
	}
	h.Add(read(99, 50, 60))
	if v, err := h.Check(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "cannot check the history of x, 42 operations: not decided within 50ms") {
		t.Errorf("violation %v, error %v", v, err)
	}
}

// TestSave saves a bad history, loads it and finds the same.
func TestSave(t *testing.T) {
	h := &History{Test: "TestSave", Seed: 1<<63 + 1, Bound: 10, Failures: []string{"a stale read"}}
	for _, o := range []Operation{create(1, 1, 2), update(2, 3, 4), lost(update(3, 5, 6)), current(elsewhere(read(1, 7, 8)))} {
		o.Client, o.Request = 3, "GET /classes/X/x"
		h.Add(o)
	}
	v, err := h.Check(limit)
	if err != nil || v == nil {
		t.Fatal(v, err)
	}
	folder := filepath.Join(t.TempDir(), "deep", "down")
	files, err := h.Save(folder, "bad", v)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bad.json", "bad.html"} {
		if !strings.Contains(files, filepath.Join(folder, want)) {
			t.Errorf("the text %q doesn't name %s", files, want)
		}
	}
	page, err := os.ReadFile(filepath.Join(folder, "bad.html"))
	if err != nil || !strings.Contains(string(page), "read 1: done") {
		t.Errorf("the picture doesn't show the read: %v", err)
	}
	loaded, err := Load(filepath.Join(folder, "bad.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(loaded.Operations, h.Operations) || loaded.Seed != h.Seed || loaded.Test != h.Test || loaded.Bound != h.Bound || !reflect.DeepEqual(loaded.Failures, h.Failures) {
		t.Errorf("saved %+v, loaded %+v", h.Operations, loaded.Operations)
	}
	again, err := loaded.Check(limit)
	if err != nil || again == nil || again.Error() != v.Error() {
		t.Errorf("first %v, then %v, %v", v, again, err)
	}
	if !strings.Contains(v.Error(), "no order of the writes to x explains") || !strings.Contains(v.Error(), "client 3 at gateway 1: read 1: done  GET /classes/X/x") ||
		!strings.Contains(v.Error(), "update 3: unknown") {
		t.Errorf("it is told as %v", v)
	}
	if _, err := Load(filepath.Join(folder, "none.json")); err == nil || !strings.HasPrefix(err.Error(), "cannot load a history") {
		t.Errorf("a file that isn't there: %v", err)
	}
	if _, err := Load(filepath.Join(folder, "bad.html")); err == nil || !strings.Contains(err.Error(), "cannot load the history "+filepath.Join(folder, "bad.html")) {
		t.Errorf("a file of another kind: %v", err)
	}
}

// savedVariable names a file with a saved history.
const savedVariable = "PARSESCALE_TEST_SAVED"

// TestSaved checks a saved history again: one that is good, and the one that PARSESCALE_TEST_SAVED names, if any. It draws a
// picture of what it finds beside the file.
func TestSaved(t *testing.T) {
	files := []string{filepath.Join("testdata", "good.json")}
	if file := os.Getenv(savedVariable); file != "" {
		files = append(files, file)
	}
	for _, file := range files {
		h, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s, seed %d, bound %s, %d operations", file, h.Test, h.Seed, h.Bound, len(h.Operations))
		v, err := h.Check(limit)
		if err != nil {
			t.Error(err)
		}
		if v != nil {
			t.Error(v)
			if err := v.draw(strings.TrimSuffix(file, ".json") + ".html"); err != nil {
				t.Error(err)
			}
		}
		for _, f := range h.Failures {
			t.Log(f)
		}
	}
}
