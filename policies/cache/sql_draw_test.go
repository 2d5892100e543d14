package cache

import (
	"flag"
	"fmt"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// Random questions and writes over few values, so that they often meet.

// longChecks is what -rapid.checks says, which counts where it asks for more than usual.
func longChecks() int {
	f := flag.Lookup("rapid.checks")
	if f == nil {
		return 0
	}
	n, _ := strconv.Atoi(f.Value.String()) // it is a number
	return n
}

func pick[T any](r *rapid.T, list ...T) T { return rapid.SampledFrom(list).Draw(r, "pick") }

// recentOf draws one of the newest ids: older ones are mostly gone.
func recentOf(r *rapid.T, ids []string) string {
	return rapid.SampledFrom(ids[max(0, len(ids)-12):]).Draw(r, "id")
}

func drawNumber(r *rapid.T) int { return rapid.IntRange(0, 12).Draw(r, "number") }

func drawText(r *rapid.T) string {
	return pick(r, "x", "y", "xy", "xyz", "yx", "z", "zz", "Zx")
}

func drawTexts(r *rapid.T) string {
	list := make([]string, rapid.IntRange(1, 3).Draw(r, "length"))
	for i := range list {
		list[i] = strconv.Quote(drawText(r))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func drawACL(r *rapid.T) string { return pick(r, "{}", `{"*":{"read":true}}`) }

func drawPlace(r *rapid.T) string {
	return fmt.Sprintf(`{"__type":"GeoPoint","latitude":%d,"longitude":%d}`, 10*pick(r, 0, 1, 2, 3, 4), 10*pick(r, 0, 1, 2, 3, 4))
}

func drawDate(r *rapid.T) string {
	return fmt.Sprintf(`{"__type":"Date","iso":"2020-01-%02dT00:00:00.000Z"}`, 1+drawNumber(r))
}

// drawTerm draws one condition on class A, and the name of its operator.
func (w *sqlWorld) drawTerm(r *rapid.T, depth int) (term, operator string) {
	n := drawNumber(r)
	switch kind := rapid.IntRange(0, 20).Draw(r, "term"); kind {
	case 0, 1:
		return fmt.Sprintf(`"n":%d`, n), "equal"
	case 2:
		return fmt.Sprintf(`"s":%q`, drawText(r)), "equal"
	case 3:
		return fmt.Sprintf(`"list":%q`, drawText(r)), "contains"
	case 4:
		return `"p":` + pointerTo(recentOf(r, w.bs)), "pointer"
	case 5:
		return fmt.Sprintf(`"n":{%q:%d}`, pick(r, "$lt", "$lte", "$gt", "$gte"), n), "range"
	case 6:
		return fmt.Sprintf(`"n":{"$gte":%d,"$lt":%d}`, n, n+pick(r, 1, 3)), "range"
	case 7:
		return fmt.Sprintf(`"d":{%q:%s}`, pick(r, "$lt", "$gte"), drawDate(r)), "range"
	case 8:
		return fmt.Sprintf(`"n":{"$in":[%d,%d]}`, n, drawNumber(r)), "$in"
	case 9:
		return pick(r, `"n":{"$ne":1}`, `"n":{"$nin":[1,2]}`), "$nin"
	case 10:
		return fmt.Sprintf(`"m":{"$exists":%s}`, pick(r, "true", "false")), "$exists"
	case 11:
		return fmt.Sprintf(`"s":{"$regex":%q}`, pick(r, "^x", "^xy", "y$", "^Z")), "$regex"
	case 12:
		return `"list":{"$all":` + drawTexts(r) + `}`, "$all"
	case 13:
		return `"list":{"$containedBy":` + drawTexts(r) + `}`, "$containedBy"
	case 14:
		return fmt.Sprintf(`"p":{%q:{"className":"B","where":{"n":%s}}}`, pick(r, "$inQuery", "$notInQuery"), pick(r, fmt.Sprint(n), fmt.Sprintf(`{"$gt":%d}`, n))), "$inQuery"
	case 15:
		return fmt.Sprintf(`"s":{%q:{"key":"t","query":{"className":"B","where":{"n":{"$lt":%d}}}}}`, pick(r, "$select", "$dontSelect"), n), "$select"
	case 16:
		return fmt.Sprintf(`"at":{"$geoWithin":{"$centerSphere":[[%d,%d],0.2]}}`, 10*pick(r, 0, 2, 4), 10*pick(r, 0, 2, 4)), "$geoWithin"
	case 17:
		return fmt.Sprintf(`"at":{"$within":{"$box":[{"__type":"GeoPoint","latitude":-5,"longitude":-5},%s]}}`, drawPlace(r)), "$within"
	case 18:
		return fmt.Sprintf(`"o.k":%d`, n), "dotted"
	case 19:
		return `"r":` + pointerTo(recentOf(r, w.bs[max(0, len(w.bs)-3):])), "related"
	default:
		if depth == 0 {
			return fmt.Sprintf(`"m":%d`, n), "equal"
		}
		one, first := w.drawTerm(r, depth-1)
		other, second := w.drawTerm(r, depth-1)
		return fmt.Sprintf(`%q:[{%s},{%s}]`, pick(r, "$or", "$or", "$and", "$nor"), one, other), first + " " + second
	}
}

// drawQuestion draws the path of a read, and the operators in it.
func (w *sqlWorld) drawQuestion(r *rapid.T) (path, operators string) {
	switch rapid.IntRange(0, 9).Draw(r, "question") {
	case 0:
		return "/classes/A/" + recentOf(r, w.as) + pick(r, "", "?include=p", "?keys=n"), "get"
	case 1:
		return fmt.Sprintf(`/classes/B?where={"$relatedTo":{"object":{"__type":"Pointer","className":"A","objectId":%q},"key":"r"}}&order=createdAt,objectId`, recentOf(r, w.as[max(0, len(w.as)-5):])), "$relatedTo"
	case 2:
		return fmt.Sprintf(`/classes/B?where={"n":%d}&order=createdAt,objectId`, drawNumber(r)), "equal"
	}
	term, operators := w.drawTerm(r, 1)
	if drawNumber(r) < 3 {
		more, operator := w.drawTerm(r, 0)
		if name, _, _ := strings.Cut(more, ":"); !strings.Contains(term, name+":") {
			term, operators = term+","+more, operators+" "+operator
		}
	}
	path = "/classes/A?where={" + term + "}&order=" + pick(r, "createdAt,objectId", "-createdAt,objectId", "n,objectId", "-n,m,objectId", "m,-n,objectId")
	if n := drawNumber(r); n < 6 {
		path, operators = fmt.Sprintf("%s&limit=%d", path, n), operators+" limit"
	}
	if drawNumber(r) < 2 {
		path += "&skip=1"
	}
	if drawNumber(r) < 3 {
		path, operators = path+"&count=1", operators+" count"
	}
	return path + pick(r, "", "", "&include=p", "&keys=n", "&keys=p.n&include=p"), operators
}

// drawWrite draws a write of class A, B or of a relation.
func (w *sqlWorld) drawWrite(r *rapid.T) (request, body string) {
	switch rapid.IntRange(0, 15).Draw(r, "write") {
	case 0:
		return "POST /classes/A", "{" + w.drawFields(r, 6) + "}"
	case 1: // one that was there, as may be
		return "POST /classes/A", fmt.Sprintf(`{"objectId":%q,"ACL":%s,%s}`, recentOf(r, w.as), drawACL(r), w.drawFields(r, 6))
	case 14:
		return "PUT /classes/A/" + recentOf(r, w.as), `{"ACL":` + drawACL(r) + `}`
	case 15:
		return "PUT /classes/B/" + recentOf(r, w.bs), `{"ACL":` + drawACL(r) + `}`
	case 2:
		return "POST /classes/B", fmt.Sprintf(`{"n":%d,"s":%q,"t":%q}`, drawNumber(r), drawText(r), drawText(r))
	case 3:
		return "DELETE /classes/A/" + recentOf(r, w.as), ""
	case 4:
		return "DELETE /classes/B/" + recentOf(r, w.bs), ""
	case 5:
		return "PUT /classes/B/" + recentOf(r, w.bs), fmt.Sprintf(`{%q:%s}`, "t", strconv.Quote(drawText(r)))
	case 6:
		return "PUT /classes/B/" + recentOf(r, w.bs), fmt.Sprintf(`{"n":%d}`, drawNumber(r))
	case 7, 12, 13:
		return "PUT /classes/A/" + recentOf(r, w.as[max(0, len(w.as)-5):]), fmt.Sprintf(`{"r":{"__op":%q,"objects":[%s]}}`, pick(r, "AddRelation", "AddRelation", "RemoveRelation"), pointerTo(recentOf(r, w.bs[max(0, len(w.bs)-3):])))
	}
	return "PUT /classes/A/" + recentOf(r, w.as), "{" + w.drawFields(r, rapid.IntRange(1, 3).Draw(r, "fields")) + "}"
}

// drawFields draws up to n fields of class A.
func (w *sqlWorld) drawFields(r *rapid.T, n int) string {
	var fields []string
	for range n {
		name := pick(r, "n", "n", "m", "s", "list", "p", "d", "at", "o")
		value := `{"__op":"Delete"}`
		switch name {
		case "n", "m":
			value = fmt.Sprint(drawNumber(r))
		case "s":
			value = strconv.Quote(drawText(r))
		case "list":
			value = drawTexts(r)
		case "p":
			value = pointerTo(recentOf(r, w.bs))
		case "d":
			value = drawDate(r)
		case "at":
			value = drawPlace(r)
		case "o":
			value = fmt.Sprintf(`{"k":%d}`, drawNumber(r))
		}
		if name != "list" && name != "o" && drawNumber(r) == 0 {
			value = `{"__op":"Delete"}`
		}
		if !strings.Contains(strings.Join(fields, ","), `"`+name+`":`) {
			fields = append(fields, fmt.Sprintf(`%q:%s`, name, value))
		}
	}
	return strings.Join(fields, ",")
}
