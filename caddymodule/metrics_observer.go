package caddymodule

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parsescale/parsescale/policies/admission"
	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/request"
)

// observer sends the metrics of one app.
type observer struct {
	ch  chan<- prometheus.Metric
	app string
}

func (o observer) gauge(d *prometheus.Desc, v float64, labels ...string) {
	o.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{o.app}, labels...)...)
}

func (o observer) counter(d *prometheus.Desc, v uint64, labels ...string) {
	o.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{o.app}, labels...)...)
}

// histogram sends a histogram, unless nothing is counted: counts[i] are those of at most bounds[i] and more than the bound before.
func (o observer) histogram(d *prometheus.Desc, bounds []float64, counts []uint64, sum float64, labels ...string) {
	buckets, total := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, n := range counts {
		total += n
		if i < len(bounds) {
			buckets[bounds[i]] = total
		}
	}
	if total > 0 {
		o.ch <- prometheus.MustNewConstHistogram(d, total, sum, buckets, append([]string{o.app}, labels...)...)
	}
}

func (o observer) answers(a *answered) {
	for op := range a.counts {
		for s := range a.counts[op] {
			for class := range a.counts[op][s] {
				if n := a.counts[op][s][class].Load(); n > 0 {
					o.counter(requestsDesc, n, request.Op(op).String(), sourceNames[s], strconv.Itoa(class)+"xx")
				}
			}
		}
	}
	for s := range a.durations {
		var counts [len(durationBounds) + 1]uint64
		for i := range counts {
			counts[i] = a.durations[s][i].Load()
		}
		o.histogram(durationDesc, durationBounds[:], counts[:], float64(a.sums[s].Load())/1e9, sourceNames[s])
	}
}

func (o observer) cache(s *AppStatus) {
	c := &s.Cache
	o.gauge(levelDesc, 1, s.Level)
	o.gauge(servingDesc, truth(s.Serving))
	o.gauge(entriesDesc, float64(c.Entries))
	o.gauge(sessionsDesc, float64(c.Sessions))
	o.counter(sharedDesc, c.Shared)
	o.gauge(bytesDesc, float64(c.Bytes))
	o.gauge(packedBytesDesc, float64(c.PackedBytes))
	o.gauge(maxBytesDesc, float64(c.MaxBytes))
	o.counter(hitsDesc, c.Hits)
	o.counter(missesDesc, c.Misses)
	o.counter(fillsDesc, c.Fills)
	o.counter(collapsedDesc, c.Collapsed)
	o.counter(refusedFillsDesc, c.RefusedFills, "changed")
	o.counter(refusedFillsDesc, c.Oversized, "size")
	o.counter(droppedDesc, c.Invalidations, "change")
	o.counter(droppedDesc, c.Evictions-c.Rejected, "room")
	o.counter(droppedDesc, c.Rejected, "unpopular")
	o.counter(droppedDesc, c.Expirations, "age")
	c.Drops.Each(func(reason string, n cache.Drop) {
		o.counter(touchedDesc, n.Dropped, reason)
		o.counter(refilledDesc, n.Needed, reason, "needed")
		o.counter(refilledDesc, n.Needless, reason, "needless")
	})
	o.histogram(matchingDesc, cache.MatchBounds[:], c.Matching.Within[:], c.Matching.Seconds)
	for result, ages := range s.SelfChecks {
		for age, n := range ages {
			o.counter(selfChecksDesc, n, result, age)
		}
	}
	if l := s.SecondLevel; l != nil {
		o.counter(takenDesc, c.Taken, "taken")
		o.counter(takenDesc, c.RefusedTaken, "refused")
		o.gauge(secondUpDesc, truth(l.Up))
		o.counter(secondAskedDesc, l.Found, "found")
		o.counter(secondAskedDesc, l.Absent, "absent")
		o.counter(secondAskedDesc, l.Failed, "failed")
		o.counter(secondAskedDesc, l.Skipped, "skipped")
		o.counter(secondWrittenDesc, l.Written, "written")
		o.counter(secondWrittenDesc, l.Lost, "lost")
	}
	o.counter(changesDesc, c.Changes)
	o.gauge(scannedDesc, float64(c.Scanned))
	o.counter(broadDesc, c.Broad)
	o.gauge(fillingDesc, float64(c.Filling))
	o.gauge(openPreparesDesc, float64(c.OpenPrepares))
}

func (o observer) feed(s *AppStatus) {
	if f := s.Feed; f != nil {
		o.gauge(feedLiveDesc, truth(f.Live))
		o.counter(feedPreparesDesc, f.Prepares)
		o.counter(feedChangesDesc, f.Changes)
		o.counter(feedAbortsDesc, f.Aborts)
		o.counter(feedGapsDesc, f.Gaps)
	}
}

func (o observer) gateways(s *AppStatus) {
	p := s.Gateways
	if p == nil {
		return
	}
	o.gauge(peersInStepDesc, truth(p.InStep))
	o.gauge(peersLagDesc, p.LagMS/1e3)
	o.gauge(peersQueuedDesc, float64(p.Queued))
	o.counter(peersGapsDesc, p.Gaps)
	o.counter(peersLostDesc, p.Lost)
	o.counter(peersReceivedDesc, p.Received)
	o.counter(peersWaitedDesc, p.Waited)
	members, longest := 0, 0.0
	for _, other := range p.Peers {
		if other.Member {
			members++
			longest = max(longest, other.ConfirmedMS)
		}
	}
	o.gauge(peersMembersDesc, float64(members))
	o.gauge(peersConfirmDesc, longest/1e3)
}

func (o observer) workers(s *AppStatus, available int) {
	o.gauge(workersDesc, float64(available))
	h := s.Hedges
	for outcome, n := range map[string]uint64{"won": h.Won, "lost": h.Lost, "failed": h.Failed, "capped": h.Capped, "alone": h.Alone} {
		o.counter(hedgedDesc, n, outcome)
	}
	if n := s.News; n != nil {
		o.gauge(newsGatewaysDesc, float64(n.Gateways))
		for outcome, n := range map[string]uint64{"confirmed": n.Confirmed, "many": n.Many, "refuted": n.Refuted, "spared": n.Spared} {
			o.counter(newsDesc, n, outcome)
		}
	}
	o.counter(timeoutsDesc, s.Timeouts.Tries, "tries")
	o.counter(timeoutsDesc, s.Timeouts.Deadlines, "deadlines")
	if r := s.Recycled; r != nil {
		o.counter(recycledDesc, r.Memory, "memory")
		o.counter(recycledDesc, r.Requests, "requests")
	}
	for _, w := range s.Workers {
		if w.Process != nil && w.Process.Memory > 0 {
			o.gauge(memoryDesc, float64(w.Process.Memory), w.Name)
		}
		if w.State == "" {
			continue // a process that is in no pool yet
		}
		o.gauge(workerStateDesc, 1, w.Name, w.State)
		o.gauge(workerBreakerDesc, map[string]float64{"open": 1, "half-open": .5}[w.Breaker], w.Name)
		o.gauge(inFlightDesc, float64(w.InFlight), w.Name)
		o.gauge(upgradedDesc, float64(w.Upgraded), w.Name)
		o.gauge(latencyDesc, w.LatencyMS/1e3, w.Name)
		o.counter(workerReqDesc, w.Requests, w.Name)
		o.counter(workerFailDesc, w.Failures, w.Name)
		o.counter(workerRetryDesc, w.Retries, w.Name)
		o.counter(workerSlowDesc, w.Slow, w.Name)
	}
}

func (o observer) admission(a *admission.Status) {
	if a == nil {
		return
	}
	o.gauge(roomDesc, float64(a.Limit))
	o.gauge(enteredDesc, float64(a.InFlight))
	o.gauge(waitingDesc, float64(a.Waiting))
	o.counter(waitedDesc, a.Waited)
	o.ch <- prometheus.MustNewConstMetric(waitTimeDesc, prometheus.CounterValue, a.WaitTime.Seconds(), o.app)
	o.counter(excusedDesc, a.Excused)
	for p, n := range a.Refused {
		o.counter(overloadDesc, n, admission.Priority(p).String())
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
