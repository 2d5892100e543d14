package rest

import (
	"encoding/json"
	"fmt"

	"github.com/parsescale/parsescale/server/schema"
)

// The audiences of pushes are objects whose query is kept as text and shown as JSON.

func (a *API) audiences(c *call) (*answer, error) {
	res, err := find(schema.Audience)(a, c)
	if err != nil {
		return nil, err
	}
	var out struct {
		Results []map[string]json.RawMessage `json:"results"`
		Count   *int64                       `json:"count,omitempty"`
	}
	if err := json.Unmarshal(res.body, &out); err != nil {
		return nil, fmt.Errorf("cannot show audiences: %w", err)
	}
	if out.Results == nil {
		out.Results = []map[string]json.RawMessage{}
	}
	for _, o := range out.Results {
		showQuery(o)
	}
	body, err := json.Marshal(out)
	return &answer{body: body}, err
}

func (a *API) audience(c *call) (*answer, error) {
	res, err := get(schema.Audience)(a, c)
	if err != nil {
		return nil, err
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(res.body, &o); err != nil {
		return nil, fmt.Errorf("cannot show an audience: %w", err)
	}
	showQuery(o)
	body, err := json.Marshal(o)
	return &answer{body: body}, err
}

// showQuery puts the JSON in the place of the text. A text that is none stays one.
func showQuery(o map[string]json.RawMessage) {
	var text string
	if json.Unmarshal(o["query"], &text) == nil && json.Valid([]byte(text)) {
		o["query"] = json.RawMessage(text)
	}
}
