package config

// Queries are the options of aggregations.
type Queries struct {
	// AllowAggregationForReadOnlyMasterKey lets the read-only master key run aggregations. Default: true.
	AllowAggregationForReadOnlyMasterKey bool `json:"allowAggregationForReadOnlyMasterKey"`
}

func defaultQueries() Queries { return Queries{AllowAggregationForReadOnlyMasterKey: true} }
