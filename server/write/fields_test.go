package write_test

import "github.com/parsescale/parsescale/server/schema"

func fieldOptions() map[string]schema.Field {
	return map[string]schema.Field{
		"n":    {Type: schema.Number, Default: 3.0},
		"need": {Type: schema.String, Required: true},
	}
}
