package rest_test

import (
	"context"
	"errors"
	"time"

	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// recordedCode is in Go what the app's code was in JavaScript when the transcript was recorded.
func recordedCode(c *cloud.Cloud) error {
	returns := func(v any, err error) cloud.Function {
		return func(context.Context, *cloud.Request) (any, error) { return v, err }
	}
	echo := func(_ context.Context, r *cloud.Request) (any, error) { return r.Params, nil }
	date := map[string]any{"d": query.Date{Time: time.Unix(0, 0).UTC()}, "g": query.GeoPoint{Latitude: 1, Longitude: 2}}
	any := cloud.Validator{}
	return errors.Join(
		c.Define("hello", echo, any),
		c.Define("date", returns(date, nil), any),
		c.Define("thr", returns(nil, errors.New("str err")), any),
		c.Define("thrp", returns(nil, parseerror.New(1234, "custom")), any),
		c.Define("need", echo, cloud.Validator{RequireUser: true}),
		c.Define("vf", echo, cloud.Validator{Fields: map[string]cloud.Field{"a": {Required: true, Type: "number"}}}),
		c.BeforeSave("BS", func(_ context.Context, r *cloud.TriggerRequest) error {
			r.Object.Set("bs", 5.0)
			return nil
		}, any),
		c.BeforeSave("BSE", func(context.Context, *cloud.TriggerRequest) error { return errors.New("nope") }, any),
		c.BeforeDelete("BD", func(context.Context, *cloud.TriggerRequest) error {
			return parseerror.New(parseerror.Validation, "keep")
		}, any),
		c.AfterFind("AF", func(context.Context, *cloud.TriggerRequest) error { return nil }, any),
	)
}
