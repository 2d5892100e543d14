package caddymodule

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parsescale/parsescale/policies/mirror"
)

// metrics are what Prometheus is told of the apps of a config, read when it asks. Every label has few values: apps,
// workers and operations have names that the configuration or this program gives.
type metrics struct{ *appState }

// desc is one metric: its name, help and the labels beside the app's.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("parsescale_"+name, help, append([]string{"app"}, labels...), nil)
}

var (
	requestsDesc = desc("requests_total", "Answers by operation, by where they came from (hit, collapsed, miss, bypass, refused, stale) and by status class.", "op", "source", "status")
	durationDesc = desc("request_duration_seconds", "Time from a request's head to its answer, by where it came from.", "source")

	levelDesc         = desc("cache_level", "1 for the level at which the app's answers are cached.", "level")
	servingDesc       = desc("cache_serving", "1 while cached answers may be served.")
	entriesDesc       = desc("cache_entries", "Stored answers.")
	sessionsDesc      = desc("cache_sessions", "Session tokens of which it is known what they stand for.")
	sharedDesc        = desc("cache_shared_total", "Answers stored that are everyone's, whoever asks.")
	bytesDesc         = desc("cache_bytes", "Memory of stored answers and their index, in bytes.")
	packedBytesDesc   = desc("cache_packed_bytes", "Part of cache_bytes that is answers kept compressed.")
	maxBytesDesc      = desc("cache_max_bytes", "Bound of cache_bytes.")
	hitsDesc          = desc("cache_hits_total", "Lookups that found an answer.")
	missesDesc        = desc("cache_misses_total", "Lookups that found none.")
	fillsDesc         = desc("cache_fills_total", "Questions that a worker was asked for the cache.")
	collapsedDesc     = desc("cache_collapsed_total", "Questions that waited for another's fill.")
	refusedFillsDesc  = desc("cache_refused_fills_total", "Answers that were not stored.", "reason")
	droppedDesc       = desc("cache_dropped_total", "Stored answers that were dropped: by a change, for room (unused for longest, or unpopular: asked for less often than those), or by age.", "reason")
	touchedDesc       = desc("cache_invalidations_total", "Stored answers and session tokens dropped by a change, by what of them it touched first: a where that finds its object, an object that is shown, relation, class and so on.", "reason")
	refilledDesc      = desc("cache_refilled_total", "Of those, the ones that were asked for again: needed if the answer was another by then, needless if it was the same.", "reason", "result")
	matchingDesc      = desc("cache_matching_seconds", "Time to find what the changes of a commit touch.")
	takenDesc         = desc("cache_taken_total", "Answers that another gateway was given and that were found in Redis: taken, or refused because a change may have touched them since.", "result")
	secondUpDesc      = desc("cache_redis_up", "1 while Redis is asked for answers.")
	secondAskedDesc   = desc("cache_redis_questions_total", "Questions to Redis for answers: found, absent, failed, or skipped while it isn't up.", "result")
	secondWrittenDesc = desc("cache_redis_writes_total", "Answers for Redis: written, or lost because too many waited or it failed.", "result")
	selfChecksDesc    = desc("cache_self_checks_total", "Hits for which a worker was asked again: whether it answered the same, by the age of what was served.", "result", "age")
	changesDesc       = desc("cache_changes_total", "Changes that were matched against stored answers.")
	scannedDesc       = desc("cache_scanned_wheres", "Wheres that every change of their class is matched against.")
	broadDesc         = desc("cache_broad_total", "Questions made to depend on any change of a class, which had too many wheres to match against every change.")
	mirroredDesc      = prometheus.NewDesc("parsescale_mirrored_total", "Reads that were mirrored, by what came of the comparison.", []string{"mount", "outcome"}, nil)
	fillingDesc       = desc("cache_filling", "Fills under way.")
	openPreparesDesc  = desc("cache_open_prepares", "Writes announced and not finished; what they may touch is not served.")
	feedLiveDesc      = desc("feed_live", "1 while every worker's change stream is alive.")
	feedPreparesDesc  = desc("feed_prepares_total", "Commits announced by workers.")
	feedChangesDesc   = desc("feed_changes_total", "Changes announced by workers.")
	feedAbortsDesc    = desc("feed_aborts_total", "Announced commits that were given up.")
	feedGapsDesc      = desc("feed_gaps_total", "Change streams that ended without a drain.")
	peersInStepDesc   = desc("gateways_in_step", "1 while every other gateway has confirmed what was told to it; cached answers have no limit of age then.")
	peersLagDesc      = desc("gateways_lag_seconds", "How long the last beat took through the feed of the gateways and back.")
	peersGapsDesc     = desc("gateways_gaps_total", "Times that something of another gateway was missing, or one was gone without a word; everything cached was dropped.")
	peersLostDesc     = desc("gateways_lost_total", "Records for the other gateways that were thrown away, since too many waited.")
	peersReceivedDesc = desc("gateways_received_total", "Records received from other gateways.")
	peersQueuedDesc   = desc("gateways_queued", "Records that wait to be published to the other gateways.")
	peersWaitedDesc   = desc("gateways_waited_total", "Commits that waited for other gateways.")
	peersMembersDesc  = desc("gateways_others", "Other gateways whose workers may write.")
	peersConfirmDesc  = desc("gateways_confirmed_seconds", "The longest time since another gateway's writes are known to be applied here.")
	workerStateDesc   = desc("worker_state", "1 for the state of the worker: up, ejected, down or draining.", "worker", "state")
	workerBreakerDesc = desc("worker_breaker_open", "1 while the worker's breaker is open, 0.5 while it is half open.", "worker")
	inFlightDesc      = desc("worker_in_flight", "Requests that the worker is answering.", "worker")
	upgradedDesc      = desc("worker_upgraded_connections", "Upgraded connections, such as WebSockets, that the worker has.", "worker")
	latencyDesc       = desc("worker_latency_seconds", "Averaged time to the head of an answer (peak-EWMA).", "worker")
	workerReqDesc     = desc("worker_requests_total", "Requests sent to the worker, repetitions included.", "worker")
	workerFailDesc    = desc("worker_failures_total", "Requests that the worker failed on.", "worker")
	workerRetryDesc   = desc("worker_retries_total", "Requests that had failed before and were sent to the worker.", "worker")
	workerSlowDesc    = desc("worker_slow_total", "Requests that took the worker longer than slow_call says.", "worker")
	hedgedDesc        = desc("worker_hedged_total", "Finds and gets that took long, by what came of asking a second worker: won (it answered first), lost, failed (neither answered), capped (the share was used up, or there was no room), alone (there was no other worker).", "outcome")
	newsDesc          = desc("worker_news_total", "Times that other gateways said that an upstream is broken, by what came of it: confirmed (by a check of this gateway's), many (most gateways say so), refuted, spared (half of the upstreams were out).", "outcome")
	newsGatewaysDesc  = desc("worker_news_gateways", "Other gateways that tell of broken upstreams.")
	timeoutsDesc      = desc("worker_timeouts_total", "Times that were over: tries (of an attempt at a read, which was made at another worker then) and deadlines (of a request).", "of")
	workersDesc       = desc("workers_available", "Workers that may be asked now.")
	wantedDesc        = desc("workers_desired", "Workers that there should be, between the least and the most that are allowed.")
	loadDesc          = desc("workers_load", "Workers that the load asks for, whatever the bounds; those of several gateways add up.")
	panicDesc         = desc("autoscale_panic", "1 while the load has risen so fast that the number of workers only grows.")
	memoryDesc        = desc("worker_memory_bytes", "Resident memory of a bundled worker.", "worker")
	recycledDesc      = desc("workers_recycled_total", "Bundled workers that were replaced for their memory or their number of requests.", "reason")
	roomDesc          = desc("admission_limit", "Requests that the workers may be answering at once, all together.")
	enteredDesc       = desc("admission_in_flight", "Requests that have been let in and not answered.")
	waitingDesc       = desc("admission_waiting", "Requests that wait to be let in.")
	waitedDesc        = desc("admission_waited_total", "Requests that waited and were let in.")
	waitTimeDesc      = desc("admission_wait_seconds_total", "How long they waited, in all.")
	excusedDesc       = desc("admission_excused_total", "Requests let in beyond the limit because none of their priority was answered meanwhile.")
	overloadDesc      = desc("admission_refused_total", "Requests refused for want of room, by priority: first, writes, reads, last.", "priority")
	limitKeysDesc     = desc("rate_limit_keys", "Keys that the rate limit holds.", "limit")
	limitAllowedDesc  = desc("rate_limit_allowed_total", "Requests that the rate limit was charged for.", "limit")
	limitRefusedDesc  = desc("rate_limit_refused_total", "Requests that the rate limit refused.", "limit")
	limitDryRunDesc   = desc("rate_limit_dry_run_total", "Requests that the rate limit would have refused but for a dry run.", "limit")
	sharedUpDesc      = desc("rate_limit_redis_up", "1 while Redis can be asked.", "redis", "on_failure")
	sharedFailDesc    = desc("rate_limit_redis_failures_total", "Questions to Redis that failed or took too long.", "redis", "on_failure")
	sharedWithoutDesc = desc("rate_limit_without_redis_total", "Requests that were decided without Redis, as on_redis_failure says.", "redis", "on_failure")
	sharedWaitingDesc = desc("rate_limit_unreported_keys", "Keys of which Redis is to be told something.", "redis", "on_failure")
	sharedGatewayDesc = desc("rate_limit_gateways", "Gateways that share the limits, as far as is known.", "redis", "on_failure")
	limitEvictedDesc  = desc("rate_limit_evicted_total", "Keys dropped to make room.", "limit")
)

// Describe implements prometheus.Collector.
func (metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsDesc, durationDesc, levelDesc, servingDesc, entriesDesc, sessionsDesc, sharedDesc, bytesDesc, packedBytesDesc, maxBytesDesc, hitsDesc, missesDesc, fillsDesc,
		collapsedDesc, refusedFillsDesc, droppedDesc, touchedDesc, refilledDesc, matchingDesc, takenDesc, secondUpDesc, secondAskedDesc, secondWrittenDesc, selfChecksDesc, changesDesc, scannedDesc, broadDesc, mirroredDesc, fillingDesc, openPreparesDesc, feedLiveDesc, feedPreparesDesc,
		feedChangesDesc, feedAbortsDesc, feedGapsDesc, workerStateDesc, workerBreakerDesc, inFlightDesc, latencyDesc, workerReqDesc,
		workerFailDesc, workerRetryDesc, workerSlowDesc, hedgedDesc, newsDesc, newsGatewaysDesc, timeoutsDesc, workersDesc, memoryDesc, recycledDesc, wantedDesc, loadDesc, panicDesc, roomDesc, enteredDesc, waitingDesc, waitedDesc, waitTimeDesc, excusedDesc, overloadDesc, limitKeysDesc, limitEvictedDesc, limitAllowedDesc, limitRefusedDesc,
		limitDryRunDesc, sharedUpDesc, sharedFailDesc, sharedWithoutDesc, sharedWaitingDesc, sharedGatewayDesc,
		peersInStepDesc, peersLagDesc, peersGapsDesc, peersLostDesc, peersReceivedDesc, peersQueuedDesc, peersWaitedDesc, peersMembersDesc, peersConfirmDesc,
		upgradedDesc,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	apps := make(map[string]*gateway, len(m.gateways))
	for name, g := range m.gateways {
		apps[name] = g
	}
	mirrors := map[string][mirror.Outcomes]uint64{}
	for _, h := range m.handlers {
		if h.looking != nil {
			sum := mirrors[h.Mount]
			for o, n := range h.looking.Counts() {
				sum[o] += n
			}
			mirrors[h.Mount] = sum
		}
	}
	m.mu.Unlock()
	for mount, counts := range mirrors {
		for o, n := range counts {
			ch <- prometheus.MustNewConstMetric(mirroredDesc, prometheus.CounterValue, float64(n), mount, mirror.Outcome(o).String())
		}
	}
	for name, g := range apps {
		o := observer{ch, name}
		o.answers(&g.answered)
		s := g.status()
		o.cache(&s)
		o.feed(&s)
		o.gateways(&s)
		o.workers(&s, g.pool.Available())
		o.admission(s.Admission)
		if a := s.Autoscale; a != nil {
			o.gauge(wantedDesc, float64(a.Desired))
			o.gauge(loadDesc, a.Load)
			o.gauge(panicDesc, truth(a.Panic))
		}
		for limit, l := range s.Limits {
			o.gauge(limitKeysDesc, float64(l.Keys), limit)
			o.counter(limitEvictedDesc, l.Evicted, limit)
			o.counter(limitAllowedDesc, l.Allowed, limit)
			o.counter(limitRefusedDesc, l.Refused, limit)
			o.counter(limitDryRunDesc, l.DryRun, limit)
		}
		for name, l := range s.SharedLimits {
			mode, failure, _ := strings.Cut(name, " ")
			o.gauge(sharedUpDesc, truth(l.Up), mode, failure)
			o.gauge(sharedWaitingDesc, float64(l.Unreported), mode, failure)
			o.gauge(sharedGatewayDesc, float64(l.Gateways), mode, failure)
			o.counter(sharedFailDesc, l.Failures, mode, failure)
			o.counter(sharedWithoutDesc, l.Without, mode, failure)
		}
	}
}
