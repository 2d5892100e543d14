package upstream

import (
	"context"
	"fmt"
	"slices"
)

// Add makes a worker a member. Its name must be free. It is taken for healthy until it proves otherwise.
func (p *Pool) Add(t Target) error {
	addr, err := t.check()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.add(t, addr)
}

// add is Add with mu held.
func (p *Pool) add(t Target, addr Address) error {
	if p.isClosed() {
		return ErrClosed
	}
	old := *p.members.Load()
	for _, w := range old {
		if w.target.Name == t.Name {
			return fmt.Errorf("cannot add the worker %s: the pool has one of this name", t.Name)
		}
	}
	o := p.options.Load()
	w := &worker{target: t, addr: addr, pool: p, idle: make(chan struct{}, 1)}
	w.transport = w.newTransport(o)
	if t.Kind == Bundled {
		w.local = w.newLocal()
	}
	w.policy = p.newPolicy(w)
	w.setShare(t.share())
	ctx, stop := context.WithCancel(context.Background())
	w.life, w.stopProbe = ctx, stop
	members := append(append(make([]*worker, 0, len(old)+1), old...), w)
	p.members.Store(&members)
	p.running.Go(func() { w.probe(ctx) })
	p.news.tell()
	return nil
}

// Retire sends the worker nothing new once it has returned; it doesn't wait for what the worker is answering. Drain or
// Remove it afterwards.
func (p *Pool) Retire(name string) error {
	w := p.member(name)
	if w == nil {
		return ErrUnknownWorker
	}
	w.drain()
	return nil
}

// Drain sends the worker nothing new, and returns when it has answered what it had or when ctx ends. The worker
// stays a member, so that it is seen in the status; Remove it afterwards.
func (p *Pool) Drain(ctx context.Context, name string) error {
	w := p.member(name)
	if w == nil {
		return ErrUnknownWorker
	}
	w.drain()
	return w.empty(ctx, p.closed)
}

// Remove takes the worker out at once. What it is answering goes on; its connections are closed afterwards.
func (p *Pool) Remove(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remove(name)
}

// remove is Remove with mu held.
func (p *Pool) remove(name string) error {
	if p.isClosed() {
		return ErrClosed
	}
	old := *p.members.Load()
	members := make([]*worker, 0, len(old))
	var gone *worker
	for _, w := range old {
		if w.target.Name == name {
			gone = w
		} else {
			members = append(members, w)
		}
	}
	if gone == nil {
		return ErrUnknownWorker
	}
	p.members.Store(&members)
	p.health.Remove(gone.policy.health)
	gone.stopProbe()
	gone.drain()
	gone.closeIdle()
	p.running.Go(func() {
		_ = gone.empty(context.Background(), p.closed)
		gone.closeIdle()
	})
	p.news.tell()
	return nil
}

// Update makes the targets the remote members: those that are new are added, those that are gone are removed, those
// that stay keep their connections, statistics and health. Bundled workers are left alone.
func (p *Pool) Update(targets []Target) error {
	addrs := make([]Address, len(targets))
	want := make(map[string]*Target, len(targets))
	for i := range targets {
		var err error
		if addrs[i], err = targets[i].check(); err != nil {
			return err
		}
		if want[targets[i].Name] != nil {
			return fmt.Errorf("cannot use the worker %s twice", targets[i].Name)
		}
		want[targets[i].Name] = &targets[i]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed() {
		return ErrClosed
	}
	var stay []string
	for _, w := range *p.members.Load() {
		switch t := want[w.target.Name]; {
		case w.target.Kind == Bundled:
			if t != nil {
				return fmt.Errorf("cannot add the worker %s: a bundled worker has this name", t.Name)
			}
		case t != nil && t.same(&w.target) && !w.draining.Load():
			stay = append(stay, t.Name)
			w.setShare(t.share())
		}
	}
	for _, name := range stay {
		delete(want, name)
	}
	for _, w := range *p.members.Load() {
		if w.target.Kind == Remote && !slices.Contains(stay, w.target.Name) {
			_ = p.remove(w.target.Name) // it is a member
		}
	}
	for i := range targets {
		if want[targets[i].Name] != nil {
			if err := p.add(targets[i], addrs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Pool) member(name string) *worker {
	for _, w := range *p.members.Load() {
		if w.target.Name == name {
			return w
		}
	}
	return nil
}
