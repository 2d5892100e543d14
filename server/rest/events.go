package rest

import (
	"context"
	"encoding/json"
)

// Analytics takes the events that apps report. What it returns is the answer, a JSON object; nil stands for {}.
type Analytics interface {
	AppOpened(ctx context.Context, parameters []byte) ([]byte, error)
	TrackEvent(ctx context.Context, name string, parameters []byte) ([]byte, error)
}

// trackEvent hands an event on. An app must never fail for want of analytics.
func (a *API) trackEvent(c *call) (*answer, error) {
	if _, err := a.resolve(c); err != nil {
		return nil, err
	}
	nothing := &answer{body: []byte("{}")}
	if a.o.Analytics == nil {
		return nothing, nil
	}
	var body []byte
	var err error
	if name := c.params[0]; name == "AppOpened" {
		body, err = a.o.Analytics.AppOpened(c.ctx, c.body.json())
	} else {
		body, err = a.o.Analytics.TrackEvent(c.ctx, name, c.body.json())
	}
	if err != nil {
		a.o.Logger.Warn("analytics failed", "event", c.params[0], "error", err)
		return nothing, nil
	}
	if len(body) == 0 || !json.Valid(body) {
		return nothing, nil
	}
	return &answer{body: body}, nil
}
