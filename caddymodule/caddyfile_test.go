package caddymodule

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// adapt turns a Caddyfile into the JSON config, as `parsescale adapt` does.
func adapt(t testing.TB, caddyfile string) (map[string]any, error) {
	t.Helper()
	b, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out, nil
}

// handlersIn collects the parse handlers of a config, wherever they stand.
func handlersIn(v any) []map[string]any {
	var found []map[string]any
	switch v := v.(type) {
	case map[string]any:
		if v["handler"] == "parse" {
			return []map[string]any{v}
		}
		for _, x := range v {
			found = append(found, handlersIn(x)...)
		}
	case []any:
		for _, x := range v {
			found = append(found, handlersIn(x)...)
		}
	}
	return found
}

func TestCaddyfileForms(t *testing.T) {
	tests := []struct {
		name, caddyfile string
		handler         string // the first parse handler's JSON
		app             string // the parse app's JSON, "" for none
	}{
		{
			name:      "in front of existing parse-server instances",
			caddyfile: "api.example.com {\n\tparse /parse/* 10.0.0.1:1337 10.0.0.2:1337\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337","10.0.0.2:1337"]}`,
		},
		{
			name:      "with policies",
			caddyfile: "api.example.com {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t\trate_limit {\n\t\t\tkey app\n\t\t\tdefault 20/10s burst 20\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"cache":{"ttl":5000000000},"rate_limit":{"key":"app","default":"20/10s burst 20"}}`,
		},
		{
			name:      "the settings of the cache",
			caddyfile: ":80 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\tcache {\n\t\t\tttl 2s\n\t\t\tmax_size 64MiB\n\t\t\tmax_object 100KB\n\t\t\tself_check 0.1%\n\t\t\tstale_if_error 30s\n\t\t\tprecompress off\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"cache":{"ttl":2000000000,"max_size":67108864,"max_object":100000,"self_check":0.001,"stale_if_error":30000000000,"precompress_off":true}}`,
		},
		{
			name:      "rate limit with zones",
			caddyfile: ":80 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\trate_limit {\n\t\t\tdefault 100/s\n\t\t\thit_cost 0.1\n\t\t\tdry_run\n\t\t\tmax_keys 5000\n\t\t\tzone logins {\n\t\t\t\tkey app_ip\n\t\t\t\trate 5/1m burst 5\n\t\t\t\tops login create\n\t\t\t}\n\t\t\tzone costly {\n\t\t\t\trate 1/s\n\t\t\t\tclasses A B\n\t\t\t\tfunctions f\n\t\t\t\tdry_run\n\t\t\t}\n\t\t}\n\t}\n}",
			handler: `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"rate_limit":{"default":"100/s","hit_cost":0.1,"dry_run":true,"max_keys":5000,
				"zones":[{"name":"logins","key":"app_ip","rate":"5/1m burst 5","ops":["login","create"]},{"name":"costly","rate":"1/s","classes":["A","B"],"functions":["f"],"dry_run":true}]}}`,
		},
		{
			name:      "limits shared through Redis",
			caddyfile: "{\n\tparse {\n\t\tredis redis://10.0.0.9:6379 {\n\t\t\tdeployment shop\n\t\t\ttimeout 20ms\n\t\t}\n\t}\n}\n:80 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\trate_limit {\n\t\t\tdefault 100/s\n\t\t\tredis exact\n\t\t\ton_redis_failure closed\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"rate_limit":{"default":"100/s","redis":"exact","on_redis_failure":"closed"}}`,
			app:       `{"redis":{"url":"redis://10.0.0.9:6379","deployment":"shop","timeout":20000000}}`,
		},
		{
			name:      "an address of Redis that is read at the start, and a limit that isn't shared",
			caddyfile: "{\n\tparse {\n\t\tredis {env.REDIS_URL}\n\t}\n}\n:80 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\trate_limit {\n\t\t\tdefault 100/s\n\t\t\tredis off\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"rate_limit":{"default":"100/s","redis":"off"}}`,
			app:       `{"redis":{"url":"{env.REDIS_URL}"}}`,
		},
		{
			name:      "no address of Redis",
			caddyfile: "{\n\tparse {\n\t\tredis {$PARSESCALE_TEST_UNSET}\n\t\tworkers 1\n\t}\n}\n:80 {\n\tparse /parse/*\n}",
			handler:   `{"handler":"parse","mount":"/parse"}`,
			app:       `{"apps":{"default":{"workers":{"count":1}}},"redis":{}}`,
		},
		{
			name:      "admission",
			caddyfile: ":80 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\tadmission {\n\t\t\tinitial 50\n\t\t\tmin 20\n\t\t\tmax 400\n\t\t\tqueue 100 1s\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"admission":{"initial":50,"min":20,"max":400,"queue":100,"max_wait":1000000000}}`,
		},
		{
			name:      "workers that follow the load",
			caddyfile: "{\n\tparse {\n\t\tworkers 2 8\n\t\tautoscale {\n\t\t\ttarget 20\n\t\t\tscale_down_delay 5m\n\t\t}\n\t}\n}\n:80 {\n\tparse /parse/*\n}",
			handler:   `{"handler":"parse","mount":"/parse"}`,
			app:       `{"apps":{"default":{"workers":{"count":2,"max":8},"autoscale":{"target":20,"scale_down_delay":300000000000}}}}`,
		},
		{
			name:      "upstreams that follow the load",
			caddyfile: "{\n\tparse {\n\t\tupstreams 10.0.0.1:1337\n\t\tautoscale 2 10 {\n\t\t\twebhook https://scale.example.com/hook {env.HOOK_KEY}\n\t\t}\n\t}\n}\n:80 {\n\tparse /parse/*\n}",
			handler:   `{"handler":"parse","mount":"/parse"}`,
			app:       `{"apps":{"default":{"upstreams":["10.0.0.1:1337"],"autoscale":{"min":2,"max":10,"webhook":"https://scale.example.com/hook","webhook_key":"{env.HOOK_KEY}"}}}}`,
		},
		{
			name:      "admission without a queue",
			caddyfile: ":80 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\tadmission {\n\t\t\tqueue off\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"admission":{"no_queue":true}}`,
		},
		{
			name:      "no admission",
			caddyfile: ":80 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\tadmission off\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"admission":{"off":true}}`,
		},
		{
			name:      "in front of instances whose database's log is read",
			caddyfile: ":1337 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\tfeed postgres {env.FEED}\n\t\tcache {\n\t\t\tttl 1h\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"feed":{"postgres":"{env.FEED}"},"cache":{"ttl":3600000000000}}`,
		},
		{
			name:      "in front of instances whose LiveQuery messages are heard",
			caddyfile: ":1337 {\n\tparse /parse/* 10.0.0.1:1337 {\n\t\tfeed livequery redis://10.0.0.9:6379\n\t\tcache\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","upstreams":["10.0.0.1:1337"],"feed":{"livequery":"redis://10.0.0.9:6379"},"cache":{}}`,
		},
		{
			name:      "an app whose database's log is read",
			caddyfile: "{\n\tparse {\n\t\tupstreams 10.0.0.3:1337\n\t\tfeed postgres postgres://gateway@10.0.0.9/parse\n\t}\n}\n:1337 {\n\tparse /1/*\n}",
			handler:   `{"handler":"parse","mount":"/1"}`,
			app:       `{"apps":{"default":{"upstreams":["10.0.0.3:1337"],"feed":{"postgres":"postgres://gateway@10.0.0.9/parse"}}}}`,
		},
		{
			name:      "bundled workers",
			caddyfile: "{\n\tparse {\n\t\tworkers 2\n\t}\n}\n:1337 {\n\tparse /parse/*\n}",
			handler:   `{"handler":"parse","mount":"/parse"}`,
			app:       `{"apps":{"default":{"workers":{"count":2}}}}`,
		},
		{
			name:      "several apps",
			caddyfile: "{\n\tparse {\n\t\tapp shop {\n\t\t\tworkers 2\n\t\t}\n\t\tapp blog {\n\t\t\tupstreams 10.0.0.3:1337\n\t\t\tapp_id blog\n\t\t}\n\t}\n}\n:1337 {\n\tparse /1/*\n}",
			handler:   `{"handler":"parse","mount":"/1"}`,
			app:       `{"apps":{"shop":{"workers":{"count":2}},"blog":{"upstreams":["10.0.0.3:1337"],"app_id":"blog"}}}`,
		},
		{
			name:      "the settings of workers",
			caddyfile: "{\n\tparse {\n\t\tworkers {\n\t\t\tapp_id a\n\t\t\tmaster_key {env.K}\n\t\t\trest_api_key r\n\t\t\tjavascript_key j\n\t\t\tdatabase_uri sqlite://x.db\n\t\t\tdrain_timeout 5s\n\t\t\tmax_memory 512MiB\n\t\t\tmax_requests 100000\n\t\t\toption masterKeyIps `[\"::1\"]`\n\t\t\toption allowOrigin https://a.example\n\t\t}\n\t}\n}\n:1337 {\n\tparse /parse/*\n}",
			handler:   `{"handler":"parse","mount":"/parse"}`,
			app:       `{"apps":{"default":{"workers":{"app_id":"a","master_key":"{env.K}","rest_api_key":"r","javascript_key":"j","database_uri":"sqlite://x.db","drain_timeout":5000000000,"max_memory":536870912,"max_requests":100000,"options":{"masterKeyIps":["::1"],"allowOrigin":"https://a.example"}}}}}`,
		},
		{
			name:      "a database of the workers' own",
			caddyfile: "{\n\tparse {\n\t\tworkers {\n\t\t\tdatabase_uri postgres://parse@db/parse\n\t\t\texclusive\n\t\t}\n\t}\n}\n:1337 {\n\tparse /parse/*\n}",
			handler:   `{"handler":"parse","mount":"/parse"}`,
			app:       `{"apps":{"default":{"workers":{"database_uri":"postgres://parse@db/parse","exclusive":true}}}}`,
		},
		{
			name:      "several gateways on one database",
			caddyfile: "{\n\tparse {\n\t\tredis redis://r:6379\n\t\tworkers {\n\t\t\tdatabase_uri postgres://parse@db/parse\n\t\t\texclusive\n\t\t\tconsistency strict\n\t\t}\n\t}\n}\n:1337 {\n\tparse /parse/*\n}",
			handler:   `{"handler":"parse","mount":"/parse"}`,
			app:       `{"apps":{"default":{"workers":{"database_uri":"postgres://parse@db/parse","exclusive":true,"consistency":"strict"}}},"redis":{"url":"redis://r:6379"}}`,
		},
		{
			name:      "gateways that share their answers",
			caddyfile: "{\n\tparse {\n\t\tredis redis://r:6379\n\t\tworkers {\n\t\t\tdatabase_uri postgres://parse@db/parse\n\t\t\texclusive\n\t\t\tconsistency bounded\n\t\t}\n\t}\n}\n:1337 {\n\tparse /parse/* {\n\t\tcache {\n\t\t\tredis on\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/parse","cache":{"redis":true}}`,
			app:       `{"apps":{"default":{"workers":{"database_uri":"postgres://parse@db/parse","exclusive":true,"consistency":"bounded"}}},"redis":{"url":"redis://r:6379"}}`,
		},
		{
			name:      "without a path matcher the mount is given or the default",
			caddyfile: ":1337 {\n\tparse 10.0.0.1:1337 {\n\t\tmount /api/parse/\n\t\tmax_body 5MB\n\t\tcache off\n\t}\n}",
			handler:   `{"handler":"parse","mount":"/api/parse","upstreams":["10.0.0.1:1337"],"max_body":5000000,"cache":{"off":true}}`,
		},
		{
			name:      "weights",
			caddyfile: "{\n\tparse {\n\t\tupstreams 10.0.0.1:1337 10.0.0.2:1337\n\t\tweight 10.0.0.2:1337 0\n\t}\n}\n:1337 {\n\tparse 10.0.0.3:1337 10.0.0.4:1337 {\n\t\tweight 10.0.0.3:1337 99\n\t\tweight 10.0.0.4:1337 1\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337","10.0.0.4:1337"],"weights":{"10.0.0.3:1337":99,"10.0.0.4:1337":1}}`,
			app:       `{"apps":{"default":{"upstreams":["10.0.0.1:1337","10.0.0.2:1337"],"weights":{"10.0.0.2:1337":0}}}}`,
		},
		{
			name:      "balancing",
			caddyfile: "{\n\tparse {\n\t\tworkers 2\n\t\tbalance least_request\n\t}\n}\n:1337 {\n\tparse 10.0.0.3:1337 {\n\t\tbalance sticky\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337"],"balance":"sticky"}`,
			app:       `{"apps":{"default":{"workers":{"count":2},"balance":"least_request"}}}`,
		},
		{
			name:      "the pool",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 {\n\t\tpool {\n\t\t\tretries 2\n\t\t\tanswer_timeout 1m\n\t\t\tmax_wait 1s\n\t\t\tsockets_close_over 30s\n\t\t\tbreaker {\n\t\t\t\tfailures 3\n\t\t\t\tshare 0.3\n\t\t\t\tmin_requests 50\n\t\t\t\topen_for 1s\n\t\t\t\tmax_open_for 10s\n\t\t\t}\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337"],"pool":{"retries":2,"answer_timeout":60000000000,"max_wait":1000000000,"sockets_close_over":30000000000,"breaker":{"failures":3,"share":0.3,"min_requests":50,"open_for":1000000000,"max_open_for":10000000000}}}`,
		},
		{
			name:      "times of requests by operation",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 {\n\t\tpool {\n\t\t\ttry_timeout 1s\n\t\t\ttry_timeout 10s aggregate\n\t\t\tdeadline 30s find get\n\t\t\tdeadline 2m function\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337"],"pool":{"try_timeout":[{"after":1000000000},{"after":10000000000,"ops":["aggregate"]}],"deadline":[{"after":30000000000,"ops":["find","get"]},{"after":120000000000,"ops":["function"]}]}}`,
		},
		{
			name:      "a panic threshold",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 {\n\t\tpool {\n\t\t\tpanic_threshold 50%\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337"],"pool":{"panic_threshold":0.5}}`,
		},
		{
			name:      "a breaker that opens for slowness",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 {\n\t\tpool {\n\t\t\tbreaker {\n\t\t\t\tslow_share 50%\n\t\t\t\tslow_call 500ms\n\t\t\t\tslow_call 30s function\n\t\t\t}\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337"],"pool":{"breaker":{"slow_share":0.5,"slow_call":[{"after":500000000},{"after":30000000000,"ops":["function"]}]}}}`,
		},
		{
			name:      "a second worker for reads that take long",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 10.0.0.4:1337 {\n\t\tpool {\n\t\t\thedge 2% 50ms\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337","10.0.0.4:1337"],"pool":{"hedge":{"share":0.02,"delay":50000000}}}`,
		},
		{
			name:      "a second worker when the first takes longer than usual",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 10.0.0.4:1337 {\n\t\tpool {\n\t\t\thedge 0.05\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337","10.0.0.4:1337"],"pool":{"hedge":{"share":0.05}}}`,
		},
		{
			name:      "a breaker without news",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 {\n\t\tpool {\n\t\t\tbreaker {\n\t\t\t\tnews off\n\t\t\t}\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337"],"pool":{"breaker":{"news_off":true}}}`,
		},
		{
			name:      "a pool that asks once",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 {\n\t\tpool {\n\t\t\tretries off\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337"],"pool":{"no_retries":true}}`,
		},
		{
			name:      "a mirror",
			caddyfile: ":1337 {\n\tparse 10.0.0.3:1337 {\n\t\tmirror 5% 10.0.0.4:1337 10.0.0.5:1337 {\n\t\t\ttimeout 3s\n\t\t\tlimit 4\n\t\t}\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["10.0.0.3:1337"],"mirror":{"share":0.05,"upstreams":["10.0.0.4:1337","10.0.0.5:1337"],"timeout":3000000000,"limit":4}}`,
		},
		{
			name:      "upstreams that DNS tells of",
			caddyfile: ":1337 {\n\tparse dns://parse.default.svc:1337 srv://_parse._tcp.example.com {\n\t\tweight srv://_parse._tcp.example.com 10\n\t}\n}",
			handler:   `{"handler":"parse","upstreams":["dns://parse.default.svc:1337","srv://_parse._tcp.example.com"],"weights":{"srv://_parse._tcp.example.com":10}}`,
		},
		{
			name:      "a named matcher",
			caddyfile: ":1337 {\n\t@api path /parse/*\n\tparse @api https://parse.example.com\n}",
			handler:   `{"handler":"parse","upstreams":["https://parse.example.com"]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config, err := adapt(t, tt.caddyfile)
			if err != nil {
				t.Fatal(err)
			}
			apps := config["apps"].(map[string]any)
			handlers := handlersIn(apps["http"])
			if len(handlers) != 1 {
				t.Fatalf("%d parse handlers, want 1", len(handlers))
			}
			sameJSON(t, "handler", handlers[0], tt.handler)
			if tt.app != "" {
				sameJSON(t, "app", apps["parse"], tt.app)
			} else if apps["parse"] != nil {
				t.Errorf("an app appeared: %v", apps["parse"])
			}
		})
	}
}

func TestMatcherCoversTheMountItself(t *testing.T) {
	config, err := adapt(t, ":1337 {\n\tparse /api/parse/* 10.0.0.1:1337\n}")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"match":[{"path":["/api/parse","/api/parse/*"]}]`; !strings.Contains(string(b), want) {
		t.Errorf("%s lacks %s", b, want)
	}
}

func sameJSON(t *testing.T, what string, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, w) {
		b, _ := json.Marshal(got)
		t.Errorf("%s:\n got %s\nwant %s", what, b, want)
	}
}

func TestCaddyfileErrors(t *testing.T) {
	site := func(body string) string { return ":1337 {\n\tparse /parse/* 10.0.0.1:1337 {\n" + body + "\n\t}\n}" }
	global := func(body string) string { return "{\n\tparse {\n" + body + "\n\t}\n}\n:1337 {\n\tparse /parse/*\n}" }
	tests := []struct{ name, caddyfile, want string }{
		{"unknown setting of the directive", site("cach off"), "unknown setting \"cach\""},
		{"a setting twice", site("max_body 1MB\nmax_body 2MB"), "max_body is given twice"},
		{"cache takes off or a block", site("cache on"), "wrong argument count"},
		{"unknown setting of cache", site("cache {\nage 5s\n}"), "unknown setting \"age\" of cache"},
		{"ttl that isn't a duration", site("cache {\nttl five\n}"), "ttl takes a duration"},
		{"ttl of zero", site("cache {\nttl 0s\n}"), "ttl takes a duration above zero"},
		{"stale answers for no time", site("cache {\nstale_if_error 0s\n}"), "stale_if_error takes a duration above zero"},
		{"stale answers twice", site("cache {\nstale_if_error 1s\nstale_if_error 2s\n}"), "stale_if_error is given twice"},
		{"precompress without off", site("cache {\nprecompress\n}"), "precompress is on unless it says: precompress off"},
		{"precompress on", site("cache {\nprecompress on\n}"), "precompress is on unless it says: precompress off"},
		{"precompress twice", site("cache {\nprecompress off\nprecompress off\n}"), "precompress is given twice"},
		{"a check of no share", site("cache {\nself_check 0%\n}"), "self_check takes a share above 0 and at most 1, such as 5% or 0.05"},
		{"a check of more than all", site("cache {\nself_check 101%\n}"), "self_check takes a share above 0 and at most 1, such as 5% or 0.05"},
		{"a check of something else", site("cache {\nself_check some\n}"), "self_check takes a share above 0 and at most 1, such as 5% or 0.05"},
		{"a check twice", site("cache {\nself_check 1%\nself_check 0.1\n}"), "self_check is given twice"},
		{"a check without a share", site("cache {\nself_check\n}"), "wrong argument count"},
		{"rate limit without a rate", site("rate_limit {\nkey ip\n}"), "rate_limit needs its default"},
		{"rate limit by an unknown key", site("rate_limit {\nkey username\ndefault 1/1s\n}"), "a key is one of app, ip, app_ip, user, session, api_key"},
		{"rate limit with a key of nothing", site("rate_limit {\nkey ip\nzone a {\nrate 1/s\n}\n}"), "the key of rate_limit is that of its default"},
		{"rate limit with an unknown setting", site("rate_limit {\nspeed 1\n}"), `unknown setting "speed" of rate_limit`},
		{"a share of nothing", site("rate_limit {\ndefault 1/s\nhit_cost 0\n}"), "hit_cost takes a share above 0"},
		{"a share that isn't one", site("rate_limit {\ndefault 1/s\nhit_cost NaN\n}"), "hit_cost takes a share above 0"},
		{"a dry run of something", site("rate_limit {\ndefault 1/s\ndry_run yes\n}"), "wrong argument count"},
		{"the default twice", site("rate_limit {\ndefault 1/s\ndefault 1/s\n}"), "default is given twice"},
		{"a zone without a name", site("rate_limit {\nzone {\nrate 1/s\n}\n}"), "zone takes a name"},
		{"a zone twice", site("rate_limit {\nzone a {\nrate 1/s\n}\nzone a {\nrate 1/s\n}\n}"), "the zone a is there twice"},
		{"a zone called as the default", site("rate_limit {\nzone default {\nrate 1/s\n}\n}"), "the zone default is there twice"},
		{"a zone without a rate", site("rate_limit {\nzone a {\nkey ip\n}\n}"), "the zone a needs its rate"},
		{"a zone of an unknown operation", site("rate_limit {\nzone a {\nrate 1/s\nops reads\n}\n}"), `"reads" is no operation`},
		{"a zone of no class", site("rate_limit {\nzone a {\nrate 1/s\nclasses\n}\n}"), "wrong argument count"},
		{"a zone with an unknown setting", site("rate_limit {\nzone a {\nburst 1\n}\n}"), `unknown setting "burst" of zone`},
		{"an unknown way to share", site("rate_limit {\ndefault 1/s\nredis redis://localhost\n}"), `redis of rate_limit is off, exact or lease, not "redis://localhost"`},
		{"two ways to share", site("rate_limit {\ndefault 1/s\nredis exact\nredis lease\n}"), "redis is given twice"},
		{"no way to share", site("rate_limit {\ndefault 1/s\nredis\n}"), "wrong argument count"},
		{"an unknown consequence", site("rate_limit {\ndefault 1/s\non_redis_failure pass\n}"), `what happens then is one of local, open, closed, not "pass"`},
		{"two consequences", site("rate_limit {\ndefault 1/s\non_redis_failure open\non_redis_failure open\n}"), "on_redis_failure is given twice"},
		{"a consequence of nothing", site("rate_limit {\ndefault 1/s\nredis off\non_redis_failure open\n}"), "on_redis_failure, but redis off"},
		{"Redis at no address", global("redis localhost"), "the address of Redis must be like redis://"},
		{"Redis at two addresses", global("redis redis://a redis://b"), "wrong argument count"},
		{"Redis twice", global("redis redis://a\nredis redis://a"), "redis is given twice"},
		{"Redis of an app", global("app a {\nredis redis://a\n}"), `unknown setting "redis" of a parse app`},
		{"an unknown setting of Redis", global("redis redis://a {\npassword x\n}"), `unknown setting "password" of redis`},
		{"a deployment that isn't a name", global("redis redis://a {\ndeployment {shop}\n}"), "a deployment is named by"},
		{"two deployments", global("redis redis://a {\ndeployment a\ndeployment b\n}"), "deployment is given twice"},
		{"a time-out that isn't one", global("redis redis://a {\ntimeout 0s\n}"), "timeout takes a duration above zero"},
		{"two time-outs", global("redis redis://a {\ntimeout 1s\ntimeout 1s\n}"), "timeout is given twice"},
		{"a rate that isn't one", site("rate_limit {\ndefault fast\n}"), "fast"},
		{"fewer workers at most than at least", global("workers 4 2"), "two between 1 and 256, the smaller one first"},
		{"three numbers of workers", global("workers 1 2 3"), "wrong argument count"},
		{"one bound of upstreams", global("upstreams 10.0.0.1:1337\nautoscale 2"), "wrong argument count"},
		{"bounds of upstreams that aren't numbers", global("upstreams 10.0.0.1:1337\nautoscale few many"), "two between 1 and 256"},
		{"no bounds of upstreams", global("upstreams 10.0.0.1:1337\nautoscale {\ntarget 5\n}"), "autoscale of upstreams needs two numbers, such as: autoscale 2 10, at Caddyfile:"},
		{"no bounds of upstreams that come later", global("autoscale {\ntarget 5\n}\nupstreams 10.0.0.1:1337"), "autoscale of upstreams needs two numbers, such as: autoscale 2 10, at Caddyfile:"},
		{"the processors of upstreams", global("upstreams 10.0.0.1:1337\nautoscale 2 10 {\nmax_cpu 0.5\n}"), "max_cpu is for bundled workers"},
		{"autoscale twice", global("workers 1 2\nautoscale\nautoscale"), "autoscale is given twice"},
		{"an unknown setting of autoscale", global("workers 1 2\nautoscale {\nspeed 1\n}"), `unknown setting "speed" of autoscale`},
		{"a target of nothing", global("workers 1 2\nautoscale {\ntarget 0\n}"), "target takes a whole number above zero"},
		{"two webhooks", global("workers 1 2\nautoscale {\nwebhook http://a\nwebhook http://b\n}"), "webhook is given twice"},
		{"admission takes off or a block", site("admission on"), "wrong argument count"},
		{"an unknown setting of admission", site("admission {\nlimit 5\n}"), `unknown setting "limit" of admission`},
		{"a limit that isn't a number", site("admission {\nmax many\n}"), "max takes a whole number above zero"},
		{"a limit twice", site("admission {\nmax 1\nmax 2\n}"), "max is given twice"},
		{"a limit between nothing", site("admission {\nmin 5\nmax 4\n}"), "between 5 and 4 a worker"},
		{"a queue of nothing", site("admission {\nqueue 0\n}"), "queue takes off, or a number above zero"},
		{"a queue for no time", site("admission {\nqueue 5 0s\n}"), "queue takes a duration above zero"},
		{"a queue twice", site("admission {\nqueue 5\nqueue off\n}"), "queue is given twice"},
		{"a queue of too much", site("admission {\nqueue 5 1s 2s\n}"), "wrong argument count"},
		{"a size that isn't one", site("max_body big"), "max_body takes a size"},
		{"a feed of another kind", site("feed redis redis://x"), "feed takes: postgres <uri>, or livequery <redis uri>"},
		{"a feed without an address", site("feed postgres"), "feed takes: postgres <uri>"},
		{"two feeds", site("feed postgres postgres://a/b\n\t\tfeed postgres postgres://a/b"), "feed is given twice"},
		{"upstreams and app", site("app shop"), "either upstreams or app"},
		{"an upstream with a path", ":1337 {\n\tparse /parse/* http://10.0.0.1:1337/parse\n}", "give host and port only"},
		{"an upstream without a port", ":1337 {\n\tparse /parse/* 10.0.0.1\n}", "missing port"},
		{"an upstream that is no address", ":1337 {\n\tparse /parse/* {env.HOST}:1337\n}", "cannot use the address of a worker"},
		{"an upstream twice", ":1337 {\n\tparse /parse/* 10.0.0.1:1337 http://10.0.0.1:1337\n}", "http://10.0.0.1:1337 is listed twice"},
		{"an upstream of an app twice", global("upstreams 10.0.0.1:1337\nupstreams 10.0.0.1:1337"), "10.0.0.1:1337 is listed twice"},
		{"a mirror to an address twice", site("mirror 5% 10.0.0.4:1 10.0.0.4:1"), "10.0.0.4:1 is listed twice"},
		{"the id of bundled workers beside them", global("workers 2\napp_id a"), "app_id of bundled workers belongs into the block of workers"},
		{"the id of bundled workers before them", global("app_id a\nworkers 2"), "app_id of bundled workers belongs into the block of workers"},
		{"the health of bundled workers", global("workers 2\nhealth_uri /x"), "health_uri is for upstreams"},
		{"a health_uri that is no path", global("upstreams 10.0.0.1:1\nhealth_uri health"), "health_uri takes a path such as /parse/health, not \"health\""},
		{"a health_uri with a space", global("upstreams 10.0.0.1:1\nhealth_uri \"/a b\""), "health_uri takes a path"},
		{"an upstream with another scheme", ":1337 {\n\tparse /parse/* ftp://10.0.0.1:21\n}", "the scheme must be http or https"},
		{"unknown setting of an app", global("worker 2"), "unknown setting \"worker\""},
		{"workers that isn't a number", global("workers many"), "workers takes a number"},
		{"no workers", global("workers 0"), "workers takes a number"},
		{"workers twice", global("workers 1\nworkers 2"), "workers is given twice"},
		{"unknown setting of workers", global("workers 2 {\nmasterKeyIps x\n}"), "option masterKeyIps <value>"},
		{"a name without a port", ":1337 {\n\tparse dns://parse\n}", "a host and a port are needed"},
		{"no name of SRV records", global("upstreams srv://a:80"), "such as _parse._tcp.example.com"},
		{"an unknown balancing policy", global("balance random"), "known are peak_ewma, least_request, round_robin and sticky"},
		{"balancing twice", global("balance sticky\nbalance sticky"), "balance is given twice"},
		{"balancing of an app by a site", ":1337 {\n\tparse /parse/* {\n\t\tbalance sticky\n\t}\n}", "belongs into the global option"},
		{"no time to close WebSockets over", site("pool {\nsockets_close_over soon\n}"), "sockets_close_over takes"},
		{"closing WebSockets twice", site("pool {\nsockets_close_over 1s\nsockets_close_over 2s\n}"), "sockets_close_over is given twice"},
		{"an unknown setting of pool", site("pool {\nhedging 1\n}"), "known are retries, answer_timeout, max_wait, try_timeout, deadline, hedge, sockets_close_over, panic_threshold and breaker"},
		{"a hedge without a share", site("pool {\nhedge\n}"), "wrong argument count"},
		{"a hedge of no share", site("pool {\nhedge 50ms\n}"), "hedge takes a share above 0"},
		{"a hedge of too much", site("pool {\nhedge 6%\n}"), "hedge takes a share above 0 and at most 5%"},
		{"a hedge at once", site("pool {\nhedge 2% 0s\n}"), "a duration above zero"},
		{"a hedge of three things", site("pool {\nhedge 2% 50ms 1s\n}"), "wrong argument count"},
		{"a hedge twice", site("pool {\nhedge 2%\nhedge 2%\n}"), "hedge is given twice"},
		{"a time of an attempt without a time", site("pool {\ntry_timeout\n}"), "wrong argument count"},
		{"a time of an attempt that isn't one", site("pool {\ntry_timeout find\n}"), "try_timeout takes a duration above zero"},
		{"no time for an attempt", site("pool {\ntry_timeout 0s\n}"), "try_timeout takes a duration above zero"},
		{"a time of an attempt at an unknown operation", site("pool {\ntry_timeout 1s reads\n}"), `try_timeout: "reads" is no operation`},
		{"a time of an attempt at a write", site("pool {\ntry_timeout 1s write\n}"), "only a read may be asked again"},
		{"a time of an attempt at a function", site("pool {\ntry_timeout 1s function\n}"), "only a read may be asked again"},
		{"two times of an attempt", site("pool {\ntry_timeout 1s\ntry_timeout 2s find\n}"), "try_timeout: find has two times"},
		{"a deadline of a write", site("pool {\ndeadline 1s create\n}"), "deadline: create has no such time: a write that is given up may have been done"},
		{"two deadlines", site("pool {\ndeadline 1s function\ndeadline 2s function\n}"), "deadline: function has two times"},
		{"too many retries", site("pool {\nretries 11\n}"), "a number from 1 to 10"},
		{"no number of retries", site("pool {\nretries some\n}"), "retries takes a whole number above zero"},
		{"retries twice", site("pool {\nretries 1\nretries off\n}"), "retries is given twice"},
		{"retries off twice", site("pool {\nretries off\nretries 1\n}"), "retries is given twice"},
		{"a breaker twice", site("pool {\nbreaker {\n}\nbreaker {\n}\n}"), "breaker is given twice"},
		{"an unknown setting of breaker", site("pool {\nbreaker {\nslow 1s\n}\n}"), "known are failures, share, min_requests, slow_share, slow_call, news, open_for and max_open_for"},
		{"a panic threshold above all", site("pool {\npanic_threshold 150%\n}"), "panic_threshold takes a share above 0"},
		{"a panic threshold without a share", site("pool {\npanic_threshold\n}"), "wrong argument count"},
		{"two panic thresholds", site("pool {\npanic_threshold 0.5\npanic_threshold 0.5\n}"), "panic_threshold is given twice"},
		{"a share of slow calls above all", site("pool {\nbreaker {\nslow_share 150%\n}\n}"), "slow_share takes a share above 0"},
		{"news on", site("pool {\nbreaker {\nnews on\n}\n}"), "news is on unless it says: news off"},
		{"news off twice", site("pool {\nbreaker {\nnews off\nnews off\n}\n}"), "news is given twice"},
		{"a share of slow calls twice", site("pool {\nbreaker {\nslow_share 1\nslow_share 1\n}\n}"), "slow_share is given twice"},
		{"slow calls that open nothing", site("pool {\nbreaker {\nslow_call 1s\n}\n}"), "no slow_share of them"},
		{"slow calls that aren't", site("pool {\nbreaker {\nslow_share 0.5\nslow_call slow\n}\n}"), "slow_call takes a duration above zero"},
		{"slow calls of an unknown operation", site("pool {\nbreaker {\nslow_share 0.5\nslow_call 1s reads\n}\n}"), `slow_call: "reads" is no operation`},
		{"slow calls twice", site("pool {\nbreaker {\nslow_share 0.5\nslow_call 1s find\nslow_call 1s read\n}\n}"), "slow_call: find has two times"},
		{"a breaker that opens for ever longer, but shorter", site("pool {\nbreaker {\nopen_for 10s\nmax_open_for 5s\n}\n}"), "the longer one comes last"},
		{"a share of failures above all", site("pool {\nbreaker {\nshare 2\n}\n}"), "share takes a share above 0"},
		{"pool twice", site("pool {\n}\npool {\n}"), "pool is given twice"},
		{"a mirror without a share", site("mirror"), "wrong argument count"},
		{"a mirror without upstreams", site("mirror 5%"), "needs the upstreams"},
		{"a mirror of more than all", site("mirror 101% 10.0.0.4:1337"), "above 0 and at most 1"},
		{"a mirror of nothing", site("mirror 0 10.0.0.4:1337"), "above 0 and at most 1"},
		{"a mirror with a share that is no number", site("mirror some 10.0.0.4:1337"), "such as 5% or 0.05, not \"some\""},
		{"a mirror to a bad address", site("mirror 5% 10.0.0.4"), "missing port"},
		{"a mirror twice", site("mirror 5% 10.0.0.4:1\nmirror 5% 10.0.0.4:1"), "mirror is given twice"},
		{"an unknown setting of a mirror", site("mirror 5% 10.0.0.4:1 {\nshare 1\n}"), "known are timeout and limit"},
		{"no comparison at a time", site("mirror 5% 10.0.0.4:1 {\nlimit 0\n}"), "above zero"},
		{"a weight of no upstream", site("weight 10.0.0.9:1 5"), "none of the upstreams"},
		{"a weight that is too large", ":1337 {\n\tparse 10.0.0.1:1 {\n\t\tweight 10.0.0.1:1 10001\n\t}\n}", "from 0 to 10000"},
		{"a weight that isn't a number", ":1337 {\n\tparse 10.0.0.1:1 {\n\t\tweight 10.0.0.1:1 half\n\t}\n}", "not \"half\""},
		{"a weight without a number", ":1337 {\n\tparse 10.0.0.1:1 {\n\t\tweight 10.0.0.1:1\n\t}\n}", "wrong argument count"},
		{"a weight twice", ":1337 {\n\tparse 10.0.0.1:1 {\n\t\tweight 10.0.0.1:1 1\n\t\tweight 10.0.0.1:1 2\n\t}\n}", "the weight of 10.0.0.1:1 is given twice"},
		{"a weight of no upstream of the app", global("upstreams 10.0.0.1:1\nweight 10.0.0.9:1 5"), "none of the upstreams"},
		{"answers shared in some way", site("cache {\nredis lease\n}"), "redis is off unless it says: redis on"},
		{"answers shared without a word", site("cache {\nredis\n}"), "redis is off unless it says: redis on"},
		{"answers shared twice", site("cache {\nredis on\nredis on\n}"), "redis is given twice"},
		{"exclusive with a value", global("workers 2 {\nexclusive yes\n}"), "wrong argument count"},
		{"an unknown consistency", global("workers 2 {\nconsistency eventual\n}"), "consistency is bounded or strict"},
		{"consistency twice", global("workers 2 {\nconsistency strict\nconsistency strict\n}"), "consistency is given twice"},
		{"consistency of upstreams", global("upstreams 10.0.0.1:1337\nconsistency strict"), "consistency belongs into the block of workers"},
		{"exclusive twice", global("workers 2 {\nexclusive\nexclusive\n}"), "exclusive is given twice"},
		{"memory that isn't a size", global("workers 2 {\nmax_memory much\n}"), "max_memory takes a size"},
		{"requests that aren't a number", global("workers 2 {\nmax_requests 0\n}"), "max_requests takes a whole number above zero"},
		{"an option twice", global("workers 2 {\noption a 1\noption a 2\n}"), "the option a is given twice"},
		{"an option without a value", global("workers 2 {\noption a\n}"), "wrong argument count"},
		{"an app twice", global("app a {\nworkers 1\n}\napp a {\nworkers 1\n}"), "the app \"a\" is defined twice"},
		{"an app without a name", global("app {\nworkers 1\n}"), "wrong argument count"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := adapt(t, tt.caddyfile)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			if !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("the error doesn't tell file and line: %v", err)
			}
		})
	}
}
