package livequery

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

var (
	errTooLarge = errors.New("the message is too large")
	errMessage  = errors.New("cannot read a LiveQuery message")
)

// message is what parse-server 9.10 publishes after a save or a deletion (ParseCloudCodePublisher).
type message struct {
	Current  json.RawMessage `json:"currentParseObject"`
	Original json.RawMessage `json:"originalParseObject"`
}

// read makes a change of a message. Its images are partial: what a message leaves out may have been taken out for the one
// who wrote.
func read(payload string, deleted bool) (change.Change, error) {
	var m message
	if err := json.Unmarshal([]byte(payload), &m); err != nil {
		return change.Change{}, fmt.Errorf("%w: %w", errMessage, err)
	}
	class, id, current, err := readObject(m.Current)
	if err != nil {
		return change.Change{}, err
	}
	c := change.Change{Class: class, ObjectID: id, Kind: change.Update}
	if deleted {
		c.Kind, c.Before = change.Delete, current
		return c, nil
	}
	c.After = current
	switch {
	case len(m.Original) > 0:
		var of string
		if _, of, c.Before, err = readObject(m.Original); err != nil {
			return change.Change{}, err
		}
		if of != id {
			return change.Change{}, fmt.Errorf("%w: it is about two objects", errMessage)
		}
	case isNew(current):
		c.Kind = change.Create
	}
	// Without the original, an update was made by somebody who can't read the object: before, it may have been anything.
	return c, nil
}

// isNew reports whether an object without an original was just made. An update doesn't tell when its object was made.
func isNew(i *change.Image) bool {
	created, ok1 := i.Fields["createdAt"].(query.Date)
	updated, ok2 := i.Fields["updatedAt"].(query.Date)
	return ok1 && ok2 && created.Equal(updated.Time)
}

// readObject reads an object in its REST form.
func readObject(data json.RawMessage) (class, id string, image *change.Image, err error) {
	o, err := query.DecodeObject(data)
	if err != nil {
		return "", "", nil, fmt.Errorf("%w: %w", errMessage, err)
	}
	class, _ = o.Values["className"].(string)
	id, _ = o.Values["objectId"].(string)
	if class == "" || id == "" {
		return "", "", nil, fmt.Errorf("%w: its object has no class or no id", errMessage)
	}
	fields := make(map[string]any, len(o.Values))
	for name, v := range o.Values {
		switch name {
		case "__type", "className", "ACL":
			continue
		case "createdAt", "updatedAt":
			v = dateOf(v)
		}
		if v = plain(v); v != nil {
			fields[name] = v
		}
	}
	image = change.NewImage(class, fields)
	image.Partial = true
	return class, id, image, nil
}

// dateOf reads the form that the times of an object itself have.
func dateOf(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil
	}
	return query.Date{Time: time.UnixMilli(t.UnixMilli()).UTC()}
}

// plain returns a value as queries see it, nil if that isn't sure. A pointer to an object that the process had read comes as
// the whole object; a relation tells nothing of its members.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		switch v["__type"] {
		case nil:
			for _, one := range v {
				if one != nil && plain(one) == nil {
					return nil
				}
			}
			return v
		case "Object":
			class, _ := v["className"].(string)
			id, _ := v["objectId"].(string)
			if class == "" || id == "" {
				return nil
			}
			return query.Pointer{ClassName: class, ObjectID: id}
		}
		return nil
	case []any:
		for _, one := range v {
			if m, ok := one.(map[string]any); one != nil && (plain(one) == nil || ok && m["__type"] != nil) {
				return nil
			}
		}
		return v
	case string, bool, float64, query.Date, query.Pointer, query.GeoPoint, query.File:
		return v
	}
	return nil
}
