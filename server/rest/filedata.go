package rest

import (
	"encoding/json"

	"github.com/parsescale/parsescale/server/parseerror"
)

// takeFileData reads {"metadata":…,"tags":…,"directory":…}.
func takeFileData(data []byte, u *uploading) error {
	b, err := parseBody(data)
	if err != nil {
		return err
	}
	if v := b.get("directory"); v != nil {
		s, ok := b.text("directory")
		if !ok {
			return parseerror.New(parseerror.InvalidFileName, "Directory must be a string.")
		}
		u.directory = &s
	}
	for name, to := range map[string]*map[string]any{"metadata": &u.metadata, "tags": &u.tags} {
		if *to, err = properties(b.get(name)); err != nil {
			return parseerror.New(parseerror.InvalidKeyName, "File %s must be an object.", name)
		}
	}
	return nil
}

// properties reads metadata or tags: an object, or an array, which counts as one with the names 0, 1, ….
func properties(v []byte) (map[string]any, error) {
	if len(v) == 0 {
		return nil, nil
	}
	if v[0] != '{' && v[0] != '[' {
		return nil, errNoUpload
	}
	b, err := parseBody(v)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(b.members))
	for _, m := range b.members {
		var v any
		if err := json.Unmarshal(m.value, &v); err != nil {
			return nil, err
		}
		out[m.name] = v
	}
	return out, nil
}
