package write_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/users/apptest"
)

func TestRequestIDs(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	a := apptest.New(t, func(o *apptest.Options) {
		o.Write.Now = func() time.Time { return now }
		o.Write.RequestIDTTL = time.Minute
	})
	create := func(id, body string) int {
		_, err := a.Writes.Create(context.Background(), auth.Caller{RequestID: id}, "Once", []byte(body), "")
		if e := parseerror.From(err); e != nil {
			return e.Code
		}
		return 0
	}
	for _, tt := range []struct {
		name, id, body string
		later          time.Duration
		want           int
	}{
		{"the first", "a", `{"n":1}`, 0, 0},
		{"the same again", "a", `{"n":1}`, 0, parseerror.DuplicateRequest},
		{"another", "b", `{"n":1}`, 0, 0},
		{"none", "", `{"n":1}`, 0, 0},
		{"one that fails", "c", `{"n":"no number"}`, 0, parseerror.IncorrectType},
		{"keeps no id", "c", `{"n":1}`, 0, 0},
		{"still kept", "a", `{"n":1}`, 59 * time.Second, parseerror.DuplicateRequest},
		{"expired", "a", `{"n":1}`, 2 * time.Second, 0},
		{"kept anew", "a", `{"n":1}`, 0, parseerror.DuplicateRequest},
		{"too long", string(make([]byte, 300)), `{"n":1}`, 0, parseerror.InvalidJSON},
	} {
		now = now.Add(tt.later)
		if got := create(tt.id, tt.body); got != tt.want {
			t.Errorf("%s: code %d, want %d", tt.name, got, tt.want)
		}
	}
	a.Play(t, []apptest.Step{
		{Who: "master", Do: "GET /classes/Once?count=1&limit=0", Want: `{"results":[],"count":5}`},
		{Who: "master", Do: "GET /classes/_Idempotency?count=1&limit=0", Want: `{"results":[],"count":1}`}, // the others have expired and are gone
		{Do: "GET /classes/_Idempotency", Status: 400, Want: `{"code":119,"error":"Permission denied"}`},
	})
}

func TestRequestIDsAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{{Do: "POST /classes/Once", Body: `{"n":0}`, Want: `{"objectId":"<first>","createdAt":"<ts>"}`}})
	codes := make([]int, 10)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			_, err := a.Writes.Create(context.Background(), auth.Caller{RequestID: "same"}, "Once", []byte(`{"n":1}`), "")
			if e := parseerror.From(err); e != nil {
				codes[i] = e.Code
			}
		})
	}
	wg.Wait()
	done := 0
	for _, c := range codes {
		switch c {
		case 0:
			done++
		case parseerror.DuplicateRequest:
		default:
			t.Errorf("code %d", c)
		}
	}
	if done != 1 {
		t.Errorf("done %d times", done)
	}
}
