package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"weak"
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
			wg.Go(func() { _ = c.join(t.Context(), mostUnderWay, i, serve) })
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
			_ = c.join(t.Context(), mostUnderWay, 0, func([]int) { <-goOn; panic("no") })
		}
		for range mostUnderWay {
			wg.Go(panics)
		}
		synctest.Wait()
		served := 0
		for range 3 {
			wg.Go(func() { _ = c.join(t.Context(), mostUnderWay, 1, func(all []int) { served += len(all) }) })
		}
		synctest.Wait()
		close(goOn)
		wg.Wait()
		if served != 3 || c.underWay != 0 {
			t.Errorf("%d served, %d under way", served, c.underWay)
		}
	})
}

// TestCompanyWithoutWhoHasGone: whoever waits may go, and isn't served then; who is to be served with others is.
func TestCompanyWithoutWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			c      company[int]
			wg     sync.WaitGroup
			mu     sync.Mutex
			served []int
			goOn   = make(chan struct{})
			cancel [4]context.CancelFunc
			errs   [4]error
		)
		serve := func(all []int) {
			mu.Lock()
			served = append(served, all...)
			mu.Unlock()
			<-goOn
		}
		for range mostUnderWay {
			wg.Go(func() { _ = c.join(t.Context(), mostUnderWay, -1, serve) })
		}
		synctest.Wait()
		for i := range cancel {
			var ctx context.Context
			ctx, cancel[i] = context.WithCancel(t.Context())
			wg.Go(func() { errs[i] = c.join(ctx, mostUnderWay, i, serve) })
			synctest.Wait()
		}
		cancel[0]()
		cancel[2]()
		synctest.Wait()
		if !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[2], context.Canceled) {
			t.Errorf("those who have gone wait: %v", errs)
		}
		goOn <- struct{}{}
		synctest.Wait()
		cancel[1]() // it serves
		cancel[3]() // it is served
		close(goOn)
		wg.Wait()
		if got := served[mostUnderWay:]; !slices.Equal(got, []int{1, 3}) || errs[1] != nil || errs[3] != nil {
			t.Errorf("served %v, %v", got, errs)
		}
		if c.underWay != 0 || len(c.waiting) != 0 {
			t.Errorf("%d under way, %d wait", c.underWay, len(c.waiting))
		}
	})
}

// TestCompanyKeepsNobody: who was served isn't kept in memory, however many there were.
func TestCompanyKeepsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			c    company[*[1 << 10]byte]
			wg   sync.WaitGroup
			goOn = make(chan struct{})
			kept []weak.Pointer[[1 << 10]byte]
		)
		for range 3 * mostMembers {
			request := new([1 << 10]byte)
			kept = append(kept, weak.Make(request))
			wg.Go(func() { _ = c.join(t.Context(), 1, request, func([]*[1 << 10]byte) { <-goOn }) })
		}
		synctest.Wait()
		close(goOn)
		wg.Wait()
		runtime.GC()
		n := 0
		for _, p := range kept {
			if p.Value() != nil {
				n++
			}
		}
		if n > 0 {
			t.Errorf("%d requests are kept", n)
		}
		runtime.KeepAlive(&c)
	})
}
