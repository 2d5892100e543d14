package postgres

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// TestCompany: whoever comes while enough companies are under way waits, and is served once, with others, in order.
func TestCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			c      company[int]
			mu     sync.Mutex
			served [][]int
			goOn   = make(chan struct{})
			wg     sync.WaitGroup
		)
		serve := func(all []int) {
			mu.Lock()
			served = append(served, slices.Clone(all))
			mu.Unlock()
			<-goOn
		}
		const all = mostUnderWay + mostMembers + 2
		for i := range all {
			wg.Go(func() { c.join(i, serve) })
			synctest.Wait()
		}
		if len(served) != mostUnderWay {
			t.Fatalf("under way: %v", served)
		}
		goOn <- struct{}{}
		synctest.Wait()
		if first := served[mostUnderWay]; len(first) != mostMembers || first[0] != mostUnderWay || !slices.IsSorted(first) {
			t.Errorf("after the first one: %v", first)
		}
		goOn <- struct{}{}
		synctest.Wait()
		if rest := fmt.Sprint(served[mostUnderWay+1:]); rest != fmt.Sprint([][]int{{all - 2, all - 1}}) {
			t.Errorf("then: %v", rest)
		}
		close(goOn)
		wg.Wait()
		if c.underWay != 0 || len(c.waiting) != 0 {
			t.Errorf("%d under way, %d wait", c.underWay, len(c.waiting))
		}
	})
}

// TestCompanyAfterPanic: who serves may panic; the others go on.
func TestCompanyAfterPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c company[int]
		var wg sync.WaitGroup
		goOn := make(chan struct{})
		panics := func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			c.join(0, func([]int) { <-goOn; panic("no") })
		}
		for range mostUnderWay {
			wg.Go(panics)
		}
		synctest.Wait()
		served := 0
		for range 3 {
			wg.Go(func() { c.join(1, func(all []int) { served += len(all) }) })
		}
		synctest.Wait()
		close(goOn)
		wg.Wait()
		if served != 3 || c.underWay != 0 {
			t.Errorf("%d served, %d under way", served, c.underWay)
		}
	})
}
