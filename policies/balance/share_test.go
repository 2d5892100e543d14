package balance

import (
	"math"
	"testing"
	"time"
)

// TestShares: nodes of unlike shares get theirs of the requests, however loaded they are; among nodes of the same share the
// load decides.
func TestShares(t *testing.T) {
	const picks = 100_000
	for _, test := range []struct {
		name   string
		shares []int
		tried  []int // indexes
		want   []float64
	}{
		{"one of a hundred", []int{99, 1}, nil, []float64{0.99, 0.01}},
		{"one in ten, of three", []int{9, 9, 2}, nil, []float64{0.45, 0.45, 0.1}},
		{"none", []int{1, 0}, nil, []float64{1, 0}},
		{"all", []int{0, 5}, nil, []float64{0, 1}},
		{"the share of one that was tried falls to the others", []int{98, 1, 1}, []int{0}, []float64{0, 0.5, 0.5}},
		{"equal shares", []int{7, 7}, nil, []float64{0.5, 0.5}},
		{"nobody", []int{0, 0}, nil, nil},
		{"only one without a share is left", []int{3, 0}, []int{0}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _ := newPicker(Options{SlowStart: -1})
			var nodes []*Node
			var tried Set
			index := map[*Node]int{}
			for i, share := range test.shares {
				n := p.NewNode()
				n.SetShare(share)
				observe(n, time.Duration(len(test.shares)-i)*time.Millisecond, Success) // the later, the quicker
				index[n] = i
				nodes = append(nodes, n)
			}
			for _, i := range test.tried {
				tried = append(tried, nodes[i])
			}
			got := make([]int, len(nodes))
			for range picks {
				n := p.Pick(nodes, tried)
				if n == nil {
					if test.want != nil {
						t.Fatal("picked none")
					}
					return
				}
				got[index[n]]++
			}
			if test.want == nil {
				t.Fatalf("picked %v, want none", got)
			}
			for i, want := range test.want {
				sameShare := 0.0
				wantSame := 0.0
				for j := range got {
					if test.shares[j] == test.shares[i] {
						sameShare += float64(got[j]) / picks
						wantSame += test.want[j]
					}
				}
				if math.Abs(sameShare-wantSame) > 0.1*wantSame+0.002 {
					t.Errorf("nodes with the share of node %d got %.4f of the requests, want %.4f (node: %.4f)", i, sameShare, wantSame, want)
				}
			}
		})
	}
}

// TestSharesWhileLoaded: a node that is slow keeps its share, so that a small one is a measure.
func TestSharesWhileLoaded(t *testing.T) {
	s := newSimulation(Options{SlowStart: -1}, 5*time.Millisecond, 5*time.Millisecond, 50*time.Millisecond)
	s.nodes[0].SetShare(45)
	s.nodes[1].SetShare(45)
	s.nodes[2].SetShare(10)
	s.run(100, time.Minute)
	total := s.picked[0] + s.picked[1] + s.picked[2]
	if share := float64(s.picked[2]) / float64(total); math.Abs(share-0.1) > 0.02 {
		t.Errorf("the slow node got %.3f of the requests, want 0.1", share)
	}
}

func TestShareAllocations(t *testing.T) {
	p, _ := newPicker(Options{})
	nodes := []*Node{p.NewNode(), p.NewNode(), p.NewNode()}
	nodes[2].SetShare(3)
	if n := testing.AllocsPerRun(100, func() { p.Pick(nodes, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
