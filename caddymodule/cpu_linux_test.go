package caddymodule

import "testing"

func TestCPU(t *testing.T) {
	busy, total, ok := parseCPU([]byte("cpu  10 1 5 100 20 2 3 4 50 60\ncpu0 1 2 3 4 5 6 7 8\n"))
	if busy != 25 || total != 145 || !ok {
		t.Errorf("busy %d of %d, %v; want 25 of 145", busy, total, ok)
	}
	for _, bad := range []string{"", "intr 5", "cpu 1 2", "cpu a b c d e f g h"} {
		if _, _, ok := parseCPU([]byte(bad)); ok {
			t.Errorf("%q was read", bad)
		}
	}
	if limit, ok := parseCPULimit([]byte("150000 100000\n")); limit != 1.5 || !ok {
		t.Errorf("limit %v, %v; want 1.5", limit, ok)
	}
	for _, none := range []string{"max 100000\n", "", "0 0", "-1 100000"} {
		if limit, ok := parseCPULimit([]byte(none)); ok {
			t.Errorf("%q: a limit of %v", none, limit)
		}
	}
	for text, want := range map[string]string{
		"0::/system.slice/parsescale.service\n": "/system.slice/parsescale.service",
		"1:cpu:/x\n0::/user.slice/a b.scope\n":  "/user.slice/a b.scope",
		"0::/\n":                                "/",
		"4:memory:/x\n1:cpu:/y\n":               "/",
		"0::/../outside\n":                      "/",
		"":                                      "/",
	} {
		if got := parseControlGroup([]byte(text)); got != want {
			t.Errorf("the control group in %q is %q, want %q", text, got, want)
		}
	}
	if used, ok := parseUsage([]byte("user_usec 1\nusage_usec 42\n")); used != 42 || !ok {
		t.Errorf("used %d, %v", used, ok)
	}
}
