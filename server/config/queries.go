package config

import "errors"

// Queries are the options of aggregations and of questions about a query's cost.
type Queries struct {
	// AllowAggregationForReadOnlyMasterKey lets the read-only master key run aggregations. Default: true.
	AllowAggregationForReadOnlyMasterKey bool `json:"allowAggregationForReadOnlyMasterKey"`
	// AllowPublicExplain is databaseOptions.allowPublicExplain: everyone may ask for the database's plan of a find, not
	// the master key alone. Default: false.
	AllowPublicExplain bool `json:"-"`
}

func defaultQueries() Queries { return Queries{AllowAggregationForReadOnlyMasterKey: true} }

// takePublicExplain reads what databaseOptions says of queries; the rest of it is left there.
func (o *Options) takePublicExplain(values map[string]any) error {
	options, _ := values["databaseOptions"].(map[string]any)
	v, ok := options["allowPublicExplain"]
	if !ok {
		return nil
	}
	if o.AllowPublicExplain, ok = v.(bool); !ok {
		return errors.New("Parse Server option 'databaseOptions.allowPublicExplain' must be a boolean.") //nolint:staticcheck // parse-server's words
	}
	delete(options, "allowPublicExplain")
	if len(options) == 0 {
		delete(values, "databaseOptions")
	}
	return nil
}
