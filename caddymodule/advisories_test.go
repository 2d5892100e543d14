package caddymodule

import "testing"

// TestLimitIsNotPassedRound is GHSA-775h-3xrc-c228 at the gateway: other spellings of a batch's path, other methods and
// credentials in the body cost what the plain request costs.
func TestLimitIsNotPassedRound(t *testing.T) {
	const three = `{"requests":[{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/A"}]}`
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "rate_limit {\ndefault 2/1h burst 2\n}"))
	app := func(id string) map[string]string { return map[string]string{"X-Parse-Application-Id": id} }
	var steps []step
	for _, path := range []string{"/parse/batch", "/parse/batch/", "/parse/Batch", "/parse/BATCH/", "/parse/batch?x=1"} {
		steps = append(steps, step{method: "POST", path: path, header: app("of " + path), body: three, status: 429, cache: "detail=rate-limited"})
	}
	// Two of one app are served, however they are spelled, and no third one.
	steps = append(steps,
		step{method: "POST", path: "/parse/classes/A", header: app("one"), body: `{"_method":"GET"}`, calls: 1},
		step{method: "GET", path: "/parse/classes/A/", header: app("one"), calls: 1},
		step{method: "POST", path: "/parse/classes/A", header: app("one"), body: `{"_method":"GET","x":1}`, status: 429},
		step{method: "POST", path: "/parse/Classes/A", header: app("one"), body: `{"_method":"DELETE"}`, status: 429},
		step{method: "GET", path: "/parse/classes/%41", header: app("one"), status: 429},
		step{method: "PUT", path: "/parse/classes/A/x", header: app("one"), body: `{}`, status: 429},
	)
	s.run(t, w, steps)
}
