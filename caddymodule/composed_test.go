package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
)

// moduleIn finds the first part of a config in which a field has a value: a handler, a transport, a source of upstreams.
func moduleIn(v any, field, value string) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		if v[field] == value {
			return v
		}
		for _, x := range v {
			if found := moduleIn(x, field, value); found != nil {
				return found
			}
		}
	case []any:
		for _, x := range v {
			if found := moduleIn(x, field, value); found != nil {
				return found
			}
		}
	}
	return nil
}

func TestFinerCaddyfileForms(t *testing.T) {
	limit := func(settings string) string { return ":9 {\n\tparse_rate_limit {\n" + settings + "\n\t}\n}" }
	cached := func(settings string) string { return ":9 {\n\tparse_cache {\n" + settings + "\n\t}\n}" }
	proxied := func(settings string) string { return ":9 {\n\treverse_proxy {\n" + settings + "\n\t}\n}" }
	for _, tt := range []struct{ name, caddyfile, field, module, want string }{
		{"a limit", ":9 {\n\tparse_rate_limit /parse/* {\n\t\tdefault 20/10s burst 20\n\t}\n}", "handler", "parse_rate_limit", `{"mount":"/parse","default":"20/10s burst 20"}`},
		{"a limit with a matcher", ":9 {\n\t@x parse operation write\n\tparse_rate_limit @x {\n\t\tdefault 1/s\n\t}\n}", "handler", "parse_rate_limit", `{"default":"1/s"}`},
		{"a limit's name", limit("name shop\ndefault 1/s"), "handler", "parse_rate_limit", `{"name":"shop","default":"1/s"}`},
		{"a limit's mount", limit("mount /1/*\ndefault 1/s"), "handler", "parse_rate_limit", `{"mount":"/1","default":"1/s"}`},
		{"a limit's largest batch", limit("max_batch 1MiB\ndefault 1/s"), "handler", "parse_rate_limit", `{"max_batch":1048576,"default":"1/s"}`},
		{"all that rate_limit has", limit("key app_ip\ndefault 1/s\nhit_cost 10%\ndry_run\nredis exact\non_redis_failure open\nmax_keys 5\nzone a {\nkey ip\nrate 2/s\nops login\nclasses A\nfunctions f\ndry_run\n}"), "handler", "parse_rate_limit",
			`{"key":"app_ip","default":"1/s","hit_cost":0.1,"dry_run":true,"redis":"exact","on_redis_failure":"open","max_keys":5,"zones":[{"name":"a","key":"ip","rate":"2/s","ops":["login"],"classes":["A"],"functions":["f"],"dry_run":true}]}`},
		{"a cache", ":9 {\n\tparse_cache /parse/*\n}", "handler", "parse_cache", `{"mount":"/parse"}`},
		{"a cache of everything", ":9 {\n\tparse_cache\n}", "handler", "parse_cache", `{}`},
		{"all that a cache has", cached("name shop\nmount /1\nmax_batch 1MiB\nttl 2s\nmax_size 64MiB\nmax_object 100KB\nstale_if_error 30s\nprecompress off"), "handler", "parse_cache",
			`{"name":"shop","mount":"/1","max_batch":1048576,"ttl":2000000000,"max_size":67108864,"max_object":100000,"stale_if_error":30000000000,"precompress_off":true}`},
		{"the workers of the only app", proxied("dynamic parse_pool\ntransport parse"), "source", "parse_pool", `{}`},
		{"the workers of an app", proxied("dynamic parse_pool shop {\nmount /1\n}\ntransport parse"), "source", "parse_pool", `{"app":"shop","mount":"/1"}`},
		{"the transport", proxied("dynamic parse_pool\ntransport parse"), "protocol", "parse", `{}`},
		{"the transport's largest body", proxied("dynamic parse_pool\ntransport parse {\nmax_body 5MB\n}"), "protocol", "parse", `{"max_body":5000000}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, err := adapt(t, tt.caddyfile)
			if err != nil {
				t.Fatal(err)
			}
			got := moduleIn(config, tt.field, tt.module)
			delete(got, tt.field)
			sameJSON(t, tt.module, got, tt.want)
		})
	}
}

// TestFinerOrder: limits come before whatever costs something, the cache after whatever forbids, and both before what asks workers.
func TestFinerOrder(t *testing.T) {
	config, err := adapt(t, ":9 {\n\treverse_proxy 127.0.0.1:1\n\trespond /y y\n\tparse_cache\n\thandle /x {\n\t\terror 403\n\t}\n\tforward_auth 127.0.0.1:2 {\n\t\turi /\n\t}\n\tparse_rate_limit {\n\t\tdefault 1/s\n\t}\n\tparse 127.0.0.1:3\n}")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, part := range []string{`"handler":"parse_rate_limit"`, `"127.0.0.1:2"`, `"handler":"error"`, `"static_response"`, `"handler":"parse_cache"`, `"handler":"parse"`, `"127.0.0.1:1"`} {
		at := strings.Index(string(b), part)
		if at < 0 || at < last {
			t.Errorf("%s comes too early, or not at all, in %s", part, b)
		}
		last = at
	}
}

func TestFinerCaddyfileErrors(t *testing.T) {
	limit := func(settings string) string { return ":9 {\n\tparse_rate_limit {\n" + settings + "\n\t}\n}" }
	cached := func(settings string) string { return ":9 {\n\tparse_cache {\n" + settings + "\n\t}\n}" }
	proxied := func(settings string) string { return ":9 {\n\treverse_proxy {\n" + settings + "\n\t}\n}" }
	for _, tt := range []struct{ name, caddyfile, want string }{
		{"an unknown setting of a limit", limit("speed 1\ndefault 1/s"), `unknown setting "speed" of parse_rate_limit; known are name, mount, max_batch, key, default, hit_cost, dry_run, redis, on_redis_failure, max_keys and zone`},
		{"an argument of a limit", ":9 {\n\tparse_rate_limit /parse/* 5/s\n}", "wrong argument count"},
		{"a limit without a rate", limit("name a"), "rate_limit needs its default"},
		{"no limit at all", ":9 {\n\tparse_rate_limit\n}", "rate_limit needs its default"},
		{"a limit's name twice", limit("name a\nname b\ndefault 1/s"), "name is given twice"},
		{"a limit without its name", limit("name\ndefault 1/s"), "wrong argument count"},
		{"a limit's mount twice", limit("mount /a\nmount /b\ndefault 1/s"), "mount is given twice"},
		{"a limit's mount that is no path", limit("mount parse\ndefault 1/s"), `mount takes a path such as /parse, not "parse"`},
		{"a limit's largest batch twice", limit("max_batch 1MB\nmax_batch 1MB\ndefault 1/s"), "max_batch is given twice"},
		{"a batch that isn't a size", limit("max_batch big\ndefault 1/s"), "max_batch takes a size"},
		{"the default twice", limit("default 1/s\ndefault 1/s"), "default is given twice"},
		{"an unknown key", limit("key name\ndefault 1/s"), "a key is one of app, ip"},
		{"a zone without a rate", limit("zone a {\n}"), "the zone a needs its rate"},
		{"a consequence of nothing", limit("default 1/s\nredis off\non_redis_failure open"), "on_redis_failure, but redis off"},
		{"an unknown setting of a cache", cached("age 5s"), `unknown setting "age" of parse_cache; known are name, mount, max_batch, ttl, max_size, max_object, stale_if_error and precompress`},
		{"a cache that checks itself", cached("self_check 1%"), `unknown setting "self_check" of parse_cache`},
		{"an argument of a cache", ":9 {\n\tparse_cache /parse/* 5s\n}", "wrong argument count"},
		{"a cache of reads alone", ":9 {\n\t@reads parse operation read\n\tparse_cache @reads\n}", "it has to see the writes"},
		{"a cache of some files", ":9 {\n\tparse_cache /parse/*/x\n}", "it has to see the writes"},
		{"a ttl that isn't a time", cached("ttl five"), "ttl takes a duration"},
		{"a ttl twice", cached("ttl 1s\nttl 2s"), "ttl is given twice"},
		{"a size twice", cached("max_size 1MB\nmax_size 1MB"), "max_size is given twice"},
		{"an object's size that isn't one", cached("max_object x"), "max_object takes a size"},
		{"stale answers for no time", cached("stale_if_error 0s"), "stale_if_error takes a duration above zero"},
		{"precompress on", cached("precompress on"), "precompress is on unless it says: precompress off"},
		{"a cache's name twice", cached("name a\nname b"), "name is given twice"},
		{"a cache's mount twice", cached("mount /a\nmount /b"), "mount is given twice"},
		{"a cache's largest batch twice", cached("max_batch 1MB\nmax_batch 1MB"), "max_batch is given twice"},
		{"the workers of two apps", proxied("dynamic parse_pool shop blog"), "wrong argument count"},
		{"an unknown setting of the pool", proxied("dynamic parse_pool {\nrefresh 1s\n}"), `unknown setting "refresh" of parse_pool; known is mount`},
		{"a pool's mount that is no path", proxied("dynamic parse_pool {\nmount x\n}"), "mount takes a path such as /parse"},
		{"a pool's mount twice", proxied("dynamic parse_pool {\nmount /a\nmount /b\n}"), "mount is given twice"},
		{"an argument of the transport", proxied("dynamic parse_pool\ntransport parse shop"), "wrong argument count"},
		{"an unknown setting of the transport", proxied("dynamic parse_pool\ntransport parse {\ntls\n}"), `unknown setting "tls" of the transport parse; known is max_body`},
		{"a body that isn't a size", proxied("dynamic parse_pool\ntransport parse {\nmax_body big\n}"), "max_body takes a size"},
		{"a body twice", proxied("dynamic parse_pool\ntransport parse {\nmax_body 1MB\nmax_body 1MB\n}"), "max_body is given twice"},
	} {
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

func TestFinerProvisionErrors(t *testing.T) {
	global := func(apps, site string) string {
		return "{\n\tadmin off\n\tparse {\n" + apps + "\n\t}\n}\n:9 {\n" + site + "\n}"
	}
	one := "upstreams 127.0.0.1:1"
	two := "app a {\nupstreams 127.0.0.1:1\napp_id a\n}\napp b {\nupstreams 127.0.0.1:2\napp_id b\n}"
	for _, tt := range []struct{ name, caddyfile, want string }{
		{"a limit that has an app's name", global("app shop {\nupstreams 127.0.0.1:1\n}", "parse_rate_limit {\nname shop\ndefault 1/s\n}"), `the name "shop" is that of an app`},
		{"a cache that has the name of upstreams", global(one, "parse 127.0.0.1:5\nparse_cache {\nname 127.0.0.1:5\n}"), "is that of upstreams"},
		{"a limit shared by nothing", "{\n\tadmin off\n}\n:9 {\n\tparse_rate_limit {\ndefault 1/s\nredis exact\n}\n}", "has no redis"},
		{"a ttl over the level's", "{\n\tadmin off\n}\n:9 {\n\tparse_cache {\nttl 1m\n}\n}", "at the cache level ttl an answer may live 5s at most"},
		{"workers without the transport", global(one, "reverse_proxy {\ndynamic parse_pool\n}"), "add `transport parse`"},
		{"workers with another transport", global(one, "reverse_proxy {\ndynamic parse_pool\ntransport http\n}"), "add `transport parse`"},
		{"the transport without workers", global(one, "reverse_proxy 127.0.0.1:1 {\ntransport parse\n}"), "add `dynamic parse_pool`"},
		{"the transport with other workers", global(one, "reverse_proxy {\ndynamic a localhost 1\ntransport parse\n}"), "add `dynamic parse_pool`"},
		{"the workers of no app", "{\n\tadmin off\n}\n:9 {\n\treverse_proxy {\ndynamic parse_pool\ntransport parse\n}\n}", "parse has no workers"},
		{"the workers of an app that isn't defined", global(one, "reverse_proxy {\ndynamic parse_pool shop\ntransport parse\n}"), `the parse app "shop" isn't defined`},
		{"the workers of several apps", global(two, "reverse_proxy {\ndynamic parse_pool\ntransport parse\n}"), "say which one"},
		{"settings of the policy that the pool has", global(one, "reverse_proxy {\ndynamic parse_pool\ntransport parse\nlb_policy peak_ewma {\ndecay 1s\n}\n}"), "peak_ewma has no settings"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := trySite(t, tt.caddyfile)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
