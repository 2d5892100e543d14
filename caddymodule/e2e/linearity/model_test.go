package linearity

import (
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"
)

// point is an operation with the moment at which it takes effect.
type point struct {
	Operation
	at int64
}

// drawHistory makes up a history that is right: operations take effect at some time between call and return, and reads lag
// behind by no more than the bound and by none of their own gateway's writes.
func drawHistory(t *rapid.T, bound int64) []Operation {
	var points []point
	for i := range rapid.IntRange(1, 12).Draw(t, "operations") {
		call := int64(rapid.IntRange(1, 30).Draw(t, "call"))
		p := point{at: call + int64(rapid.IntRange(0, 10).Draw(t, "until"))}
		p.Operation = Operation{
			Object: "x", Gateway: rapid.IntRange(0, 1).Draw(t, "gateway"), Call: call, Return: p.at + int64(rapid.IntRange(0, 10).Draw(t, "rest")),
			Kind: rapid.SampledFrom([]Kind{Create, Update, Delete, Read, Read, Read}).Draw(t, "kind"), Outcome: Done,
		}
		if p.Kind == Create || p.Kind == Update {
			p.Version = int64(i + 1)
		}
		if p.Kind != Read && rapid.IntRange(0, 4).Draw(t, "lost") == 0 {
			p.Outcome = Unknown
			p.at += int64(rapid.IntRange(0, 50).Draw(t, "late"))
		}
		points = append(points, p)
	}
	slices.SortStableFunc(points, func(a, b point) int { return int(a.at - b.at) })
	versions := []int64{0} // after each point
	for i := range points {
		p := &points[i]
		s := state{version: versions[i]}
		if p.Kind == Read {
			oldest := i
			if bound > 0 {
				for oldest > 0 && points[oldest-1].at >= p.Call-bound && !(points[oldest-1].Kind != Read && points[oldest-1].Outcome == Done &&
					points[oldest-1].Gateway == p.Gateway && points[oldest-1].Return < p.Call) {
					oldest--
				}
			}
			p.Version = versions[rapid.IntRange(oldest, i).Draw(t, "seen")]
		} else if p.Outcome == Done && (s.version != 0) == (p.Kind == Create) {
			p.Outcome = Refused
		}
		s, _ = s.take(step{Operation: &p.Operation, outcome: p.Outcome})
		versions = append(versions, s.version)
	}
	var history []Operation
	for _, p := range points {
		history = append(history, p.Operation)
	}
	return history
}

// TestRightHistories: no history that is right is taken for a wrong one.
func TestRightHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.SampledFrom([]int64{0, 15}).Draw(t, "bound")
		h := &History{Bound: time.Duration(bound), Operations: drawHistory(t, bound)}
		v, err := h.Check(limit)
		if err != nil {
			t.Fatal(err)
		}
		if v != nil {
			t.Fatal(v)
		}
	})
}

// TestReduce: what is left out doesn't change the verdict, also of wrong histories.
func TestReduce(t *testing.T) {
	verdicts := map[bool]int{}
	nothing := func(all []step, _ func(*Operation) int64) []step { return all }
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.SampledFrom([]int64{0, 15}).Draw(t, "bound")
		h := &History{Bound: time.Duration(bound), Operations: drawHistory(t, bound)}
		if i := rapid.IntRange(0, len(h.Operations)-1).Draw(t, "wrong"); h.Operations[i].Kind == Read {
			h.Operations[i].Version = h.Operations[rapid.IntRange(0, len(h.Operations)-1).Draw(t, "shows")].Version
		}
		var object []*Operation
		for i := range h.Operations {
			object = append(object, &h.Operations[i])
		}
		const end = 1000
		reduced := porcupine.CheckOperations(model, h.operations(object, end, reduce))
		verdicts[reduced]++
		if whole := porcupine.CheckOperations(model, h.operations(object, end, nothing)); whole != reduced {
			t.Fatalf("legal is %v of all operations, %v of those that are left: %v", whole, reduced, h.Operations)
		}
	})
	if verdicts[true] == 0 || verdicts[false] == 0 {
		t.Errorf("nothing was compared: %v", verdicts)
	}
}
