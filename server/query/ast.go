package query

// Expr is one node of a parsed where. The nodes are And, Or, Nor, *Compare, *In, *All, *ContainedBy, *Exists, *Regex,
// *InQuery, *Select,
// *RelatedTo, *Near, *Box, *Inside, *Covers, *Text and *Unsupported. A nil Expr means every object. Trees are immutable once built.
type Expr interface{ expr() }

// And holds when all of its terms hold; an empty And always does.
type And []Expr

// Or holds when one of its terms does; an empty Or never does.
type Or []Expr

// Nor holds when none of its terms does.
type Nor []Expr

// Op is a comparison.
type Op uint8

// The comparisons of the REST API.
const (
	Eq  Op = iota // value itself, or $eq; a nil value means "missing or null"
	Ne            // $ne; a missing field is different from every value but nil
	Lt            // $lt
	Lte           // $lte
	Gt            // $gt
	Gte           // $gte
)

// Compare is {"path": value} and {"path": {"$op": value}}.
// On an array field, Eq means "contains" and Ne "does not contain".
type Compare struct {
	Path  Path
	Op    Op
	Value any
	// Relative: the Value is a Date that came from a $relativeTime. It is good for now only, and for Date fields only.
	Relative bool
}

// In is $in, or $nin if Not. Nested arrays are flattened one level.
// As on PostgreSQL, nil values are ignored, an empty $in means "missing", and $nin leaves out objects without the field.
type In struct {
	Path   Path
	Values []any
	Not    bool
}

// All is $all: the array field holds every value. With Prefixes, it holds for each prefix an element that starts with it.
type All struct {
	Path     Path
	Values   []any
	Prefixes []string
}

// ContainedBy is $containedBy: every element of the array field is one of Values.
type ContainedBy struct {
	Path   Path
	Values []any
}

// Exists is $exists.
type Exists struct {
	Path Path
	Want bool
}

// Regex is $regex with $options, a subset of "imxsu".
type Regex struct {
	Path             Path
	Pattern, Options string

	compiled regexCache
}

// SubQuery is the inner query of $inQuery and $select.
type SubQuery struct {
	Class string
	Where Expr
	Order []Sort
	Limit int // 0: none
	Skip  int
	// Redirect is redirectClassNameForKey: the objects are those of the class that this relation of Class points to.
	Redirect string
}

// InQuery is $inQuery, or $notInQuery if Not: the pointer at Path points to an object of Sub.
type InQuery struct {
	Path Path
	Sub  *SubQuery
	Not  bool
}

// Select is $select, or $dontSelect if Not: the value at Path is the value at Key of an object of Sub.
type Select struct {
	Path Path
	Sub  *SubQuery
	Key  Path
	Not  bool
}

// RelatedTo is $relatedTo: the object is a member of the relation Key of Object.
type RelatedTo struct {
	Object Pointer
	Key    string
}

// Near is $nearSphere, and $geoWithin with $centerSphere: the GeoPoint at Path is no farther than Metres from Point.
type Near struct {
	Path   Path
	Point  GeoPoint
	Metres float64 // +Inf: as far as it likes
	// Sort: it is a $nearSphere outside of $or, $and and $nor, which has the results sorted by distance, whatever order
	// is asked for.
	Sort bool
}

// Box is $within with $box: the GeoPoint at Path is in the box of two opposite corners.
type Box struct {
	Path          Path
	Corner, Other GeoPoint
}

// Inside is $geoWithin with $polygon: the GeoPoint at Path is in the polygon.
type Inside struct {
	Path    Path
	Polygon Polygon
}

// Covers is $geoIntersects: the Polygon at Path has the point in it.
type Covers struct {
	Path  Path
	Point GeoPoint
}

// Text is $text: the text at Path matches a query of PostgreSQL's full text search (words, &, |, !, <-> and brackets),
// by the rules of a language.
type Text struct {
	Path           Path
	Term, Language string
}

// Unsupported is an operator that is known, or looks like one, but that nothing here evaluates; Operator is "" where a
// value stands that no field can be compared with directly. The matcher answers Unknown for it, the SQL builder refuses
// it with parse-server's error.
type Unsupported struct {
	Path     Path
	Operator string
	Value    any
}

func (And) expr()          {}
func (Or) expr()           {}
func (Nor) expr()          {}
func (*Compare) expr()     {}
func (*In) expr()          {}
func (*All) expr()         {}
func (*ContainedBy) expr() {}
func (*Exists) expr()      {}
func (*Regex) expr()       {}
func (*InQuery) expr()     {}
func (*Select) expr()      {}
func (*RelatedTo) expr()   {}
func (*Near) expr()        {}
func (*Box) expr()         {}
func (*Inside) expr()      {}
func (*Covers) expr()      {}
func (*Text) expr()        {}
func (*Unsupported) expr() {}

// Path names a field, or with dots a place inside an Object or Array field: "stats.views".
type Path string

// Root is the field: the part before the first dot.
func (p Path) Root() string {
	for i := 0; i < len(p); i++ {
		if p[i] == '.' {
			return string(p[:i])
		}
	}
	return string(p)
}

// Sort is one term of order.
type Sort struct {
	Path Path
	Desc bool
}

// Query is a find: what GET /classes/:className asks.
type Query struct {
	Class string
	Where Expr
	Order []Sort
	// Limit is the most results to return; negative when the request names none.
	Limit int
	Skip  int
	// Count asks for the number of matching objects beside the results.
	Count bool
	// Keys and ExcludeKeys choose fields; dots reach into included objects. Keys are in the order asked for, without
	// repeats, and nil when the request has no keys; ExcludeKeys are sorted. Neither changes that objectId, createdAt,
	// updatedAt and ACL are shown.
	Keys, ExcludeKeys []string
	// Score asks for the member "score" of each result, how well it matches the $text of the where.
	Score bool
	// Include lists pointer paths to resolve, each after its parents: those asked for and those that dotted keys imply.
	Include    []Path
	IncludeAll bool
	// Redirect is redirectClassNameForKey.
	Redirect string
	// Explain, Hint, Comment and the read preferences are kept as sent; "" when absent.
	Explain, Hint, Comment                                    string
	ReadPreference, IncludeReadPreference, SubqueryPreference string
	// Source is how the query was asked, for code that may change it; nil: nobody says.
	Source *Source
}

// Source is what a Query was read from.
type Source struct {
	Params Params
	Limits Limits
}
