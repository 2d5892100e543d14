package balance

import (
	"strconv"
	"testing"
	"time"
)

func TestPickAllocatesNothing(t *testing.T) {
	p := New(Options{})
	nodes := []*Node{p.NewNode(), p.NewNode(), p.NewNode()}
	tried := Set{nodes[1]}
	if n := testing.AllocsPerRun(100, func() {
		x := p.Pick(nodes, tried)
		x.Begin()
		x.End(time.Millisecond, Success)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPickBeginEnd(b *testing.B) {
	for _, count := range []int{2, 8, 64} {
		b.Run(strconv.Itoa(count), func(b *testing.B) {
			p := New(Options{})
			var nodes []*Node
			for range count {
				nodes = append(nodes, p.NewNode())
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := p.Pick(nodes, nil)
					n.Begin()
					n.End(time.Millisecond, Success)
				}
			})
		})
	}
}
