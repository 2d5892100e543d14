package read_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/users/apptest"
)

func TestFindParameters(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Read.DefaultLimit, o.Read.MaxLimit = 2, 3 })
	for i := range 4 {
		a.Play(t, []apptest.Step{{Do: "POST /classes/Q", Body: fmt.Sprintf(`{"i":%d,"nm":%q,"o":{"x":%d}}`, i, string("abcd"[i]), i), Want: fmt.Sprintf(`{"objectId":"<q%d>","createdAt":"<ts>"}`, i)}})
	}
	row := func(i int) string {
		return fmt.Sprintf(`{"objectId":"<q%d>","createdAt":"<ts>","updatedAt":"<ts>","i":%d,"nm":"%c","o":{"x":%d}}`, i, i, "abcd"[i], i)
	}
	short := func(i int) string {
		return fmt.Sprintf(`{"objectId":"<q%d>","createdAt":"<ts>","updatedAt":"<ts>","i":%d}`, i, i)
	}
	results := func(rows ...string) string { return `{"results":[` + strings.Join(rows, ",") + `]}` }
	for _, tt := range []struct{ params, want string }{
		{"order=i", results(row(0), row(1))},
		{"order=i&limit=100", results(row(0), row(1), row(2))},
		{"order=-i&limit=1&skip=1&keys=i", results(short(2))},
		{"order=i&limit=1&excludeKeys=o,nm", results(short(0))},
		{"order=i&limit=1&excludeKeys=o,nm,objectId,createdAt", results(short(0))},
		{"order=i&limit=1&keys=i,nm&excludeKeys=nm", results(short(0))},
		{"order=i&limit=1&keys=", results(`{"objectId":"<q0>","createdAt":"<ts>","updatedAt":"<ts>"}`)},
		{"limit=0", results()},
		{"count=1&limit=0", `{"results":[],"count":4}`},
		{`count=1&limit=1&order=i&where={"i":{"$gt":0}}`, `{"results":[` + row(1) + `],"count":3}`},
		{`where={"o.x":{"$gt":2}}`, results(row(3))},
		{`where={"nosuch":1}`, results()},
		{`where={"nosuch":1}&count=1`, `{"results":[],"count":0}`},
		{`where={"_rperm":"x"}&order=i&limit=1`, results(row(0))},
		{`order=nope,-i&limit=1`, results(row(3))},
		{`order=_created_at,i&limit=1`, results(row(0))},
		{`order=i&limit=1&include=nm,nosuch,o.x`, results(row(0))},
	} {
		t.Run(tt.params, func(t *testing.T) {
			a.Play(t, []apptest.Step{{Do: "GET /classes/Q?" + tt.params, Want: tt.want}})
		})
	}
	a.Play(t, []apptest.Step{
		{Do: "GET /classes/Q?explain=true", Status: 400, Want: `{"code":102,"error":"Using the explain query parameter requires the master key"}`},
		{Do: "GET /classes/Q?order=a b", Status: 400, Want: `{"code":105,"error":"Invalid field name: a b."}`},
		{Do: `GET /classes/Q?where={"ACL":{}}`, Status: 400, Want: `{"code":102,"error":"Cannot query on ACL."}`},
		{Do: `GET /classes/Q?where={"nm":{"$foo":1}}`, Status: 400, Want: `{"code":119,"error":"Postgres doesn't support this query type yet {\"$foo\":1}"}`},
		{Do: "GET /classes/1bad", Want: `{"results":[]}`},
	})
}

func pointer(class, id string) string {
	return `{"__type":"Pointer","className":"` + class + `","objectId":"` + id + `"}`
}

func TestInclude(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{
		signUp("ann"), signUp("bob"),
		{Do: "POST /classes/Child", Body: `{"n":1,"sub":` + pointer("_User", "<ann>") + `,"f":{"__type":"File","name":"x.txt"}}`, Want: `{"objectId":"<k1>","createdAt":"<ts>"}`},
		{Do: "POST /classes/Child", Body: `{"n":2,"ACL":{"<ann>":{"read":true}}}`, Want: `{"objectId":"<k2>","createdAt":"<ts>"}`},
		{
			Do: "POST /classes/Par", Want: `{"objectId":"<p>","createdAt":"<ts>"}`,
			Body: `{"ch":` + pointer("Child", "<k1>") + `,"hid":` + pointer("Child", "<k2>") + `,"lst":[` + pointer("Child", "<k1>") + `,` + pointer("Child", "<k2>") + `,5],"gone":` + pointer("Child", "doesnotexi") + `,"never":` + pointer("Never", "doesnotexi") + `,"ob":{"p":` + pointer("Child", "<k1>") + `,"q":` + pointer("Child", "<k2>") + `}}`,
		},
	})
	const (
		head   = `{"objectId":"<p>","createdAt":"<ts>","updatedAt":"<ts>"`
		k1     = `{"objectId":"<k1>","createdAt":"<ts>","updatedAt":"<ts>","n":1,"sub":{"__type":"Pointer","className":"_User","objectId":"<ann>"},"f":{"__type":"File","name":"x.txt","url":"http://files/x.txt"},"__type":"Object","className":"Child"}`
		k2     = `{"objectId":"<k2>","createdAt":"<ts>","updatedAt":"<ts>","n":2,"ACL":{"<ann>":{"read":true}},"__type":"Object","className":"Child"}`
		annFor = `{"objectId":"<ann>","createdAt":"<ts>","updatedAt":"<ts>","username":"ann","ACL":{"<ann>":{"read":true,"write":true}},"__type":"Object","className":"_User"}`
	)
	for _, tt := range []struct{ who, params, want string }{
		{"public", "include=ch&keys=ch", head + `,"ch":` + k1 + `}`},
		{"public", "include=hid,gone,never&keys=hid,gone,never", head + `}`},
		{"<tokann>", "include=hid&keys=hid", head + `,"hid":` + k2 + `}`},
		{"public", "include=lst&keys=lst", head + `,"lst":[` + k1 + `,5]}`},
		{"<tokann>", "include=lst&keys=lst", head + `,"lst":[` + k1 + `,` + k2 + `,5]}`},
		{"public", "include=ob.p,ob.q&keys=ob", head + `,"ob":{"p":` + k1 + `}}`},
		{"public", "include=ch.sub&keys=ch", head + `,"ch":` + strings.Replace(k1, `,"sub":{"__type":"Pointer","className":"_User","objectId":"<ann>"}`, ``, 1) + `}`},
		{"<tokann>", "include=ch.sub&keys=ch", head + `,"ch":` + strings.Replace(k1, `{"__type":"Pointer","className":"_User","objectId":"<ann>"}`, annFor, 1) + `}`},
		{"public", "include=ch.sub&keys=ch.n", head + `,"ch":{"objectId":"<k1>","createdAt":"<ts>","updatedAt":"<ts>","n":1,"__type":"Object","className":"Child"}}`},
		{"public", "keys=ch.n", head + `,"ch":{"objectId":"<k1>","createdAt":"<ts>","updatedAt":"<ts>","n":1,"__type":"Object","className":"Child"}}`},
		{"public", "excludeKeys=ch.n,ch.f,hid,gone,never,lst,ob", head + `,"ch":{"objectId":"<k1>","createdAt":"<ts>","updatedAt":"<ts>","sub":{"__type":"Pointer","className":"_User","objectId":"<ann>"},"__type":"Object","className":"Child"}}`},
		{"public", "include=ch&keys=gone", head + `,"gone":{"objectId":"doesnotexi","__type":"Pointer","className":"Child"}}`},
		{"public", "include=*&excludeKeys=lst,ob", head + `,"ch":` + k1 + `}`},
	} {
		t.Run(tt.who+" "+tt.params, func(t *testing.T) {
			a.Play(t, []apptest.Step{
				{Who: tt.who, Do: "GET /classes/Par/<p>?" + tt.params, Want: tt.want},
				{Who: tt.who, Do: "GET /classes/Par?" + tt.params, Want: `{"results":[` + tt.want + `]}`},
			})
		})
	}
	a.Play(t, []apptest.Step{
		{Do: "GET /classes/Par?includeAll=true&keys=ch", Want: `{"results":[` + head + `,"ch":` + k1 + `,"lst":[` + k1 + `,5]}]}`},
	})
	t.Run("what was hidden or missing is told", func(t *testing.T) {
		got := a.Do("", "GET /classes/Par?include=hid,gone,never,ch", "").Reads
		if want := a.Fill("Child:<k2> Child:doesnotexi Never:doesnotexi"); !sameWords(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func sameWords(a, b string) bool {
	count := map[string]int{}
	for _, w := range strings.Fields(a) {
		count[w]++
	}
	for _, w := range strings.Fields(b) {
		count[w]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestIncludeAndPermissions(t *testing.T) {
	a := people(t, nil)
	const open = `"create":{"*":true},"update":{"*":true},"addField":{"*":true}`
	a.Permissions("K", `{`+open+`,"find":{},"get":{"*":true}}`, nil)
	a.Play(t, []apptest.Step{
		{Do: "POST /classes/K", Body: `{"n":1,"owner":` + pointer("_User", "<ann>") + `}`, Want: `{"objectId":"<k>","createdAt":"<ts>"}`},
		{Do: "POST /classes/P", Body: `{"k":` + pointer("K", "<k>") + `}`, Want: `{"objectId":"<p>","createdAt":"<ts>"}`},
		{Who: "<tokann>", Do: "GET /sessions/me", Want: `{"objectId":"<s>",<any>`},
		{Do: "POST /classes/S", Body: `{"s":` + pointer("_Session", "<s>") + `}`, Want: `{"objectId":"<x>","createdAt":"<ts>"}`},
		{Do: "POST /classes/H", Body: `{"h":` + pointer("_Audience", "a") + `}`, Want: `{"objectId":"<y>","createdAt":"<ts>"}`},
	})
	const bare = `{"results":[{"objectId":"<p>","createdAt":"<ts>","updatedAt":"<ts>"}]}`
	for _, tt := range []struct {
		name, get, who string
		status         int
		want           string
	}{
		{"find denied, get allowed", `{"*":true}`, "public", 200, `{"results":[{"objectId":"<p>",<any>,"k":{"objectId":"<k>",<any>"n":1,<any>}]}`},
		{"get denied", `{}`, "public", 400, no119},
		{"users only", `{"requiresAuthentication":true}`, "public", 404, no101},
		{"by pointer, without a user", `{"pointerFields":["owner"]}`, "public", 404, gone},
		{"by pointer, another user", `{"pointerFields":["owner"]}`, "<tokbob>", 200, bare},
		{"by pointer, the user", `{"pointerFields":["owner"]}`, "<tokann>", 200, `{"results":[{"objectId":"<p>",<any>,"k":{"objectId":"<k>",<any>"n":1,<any>}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.Permissions("K", `{`+open+`,"find":{},"get":`+tt.get+`}`, nil)
			a.Play(t, []apptest.Step{{Who: tt.who, Do: "GET /classes/P?include=k", Status: tt.status, Want: tt.want}})
		})
	}
	a.Play(t, []apptest.Step{
		{Do: "GET /classes/S?include=s", Status: 400, Want: `{"code":209,"error":"Permission denied"}`},
		{Who: "<tokbob>", Do: "GET /classes/S?include=s", Want: `{"results":[{"objectId":"<x>","createdAt":"<ts>","updatedAt":"<ts>"}]}`},
		{Who: "<tokann>", Do: "GET /classes/S?include=s", Want: `<any>"sessionToken":"<tokann>"<any>`},
		{Do: "GET /classes/H?include=h", Status: 400, Want: no119},
	})
}

func TestIncludesAreBounded(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Read.IncludeDepth, o.Read.IncludeCount, o.Read.MaxAnswer = 6, 20, 1<<20 })
	a.Play(t, []apptest.Step{{Do: "POST /classes/A", Body: `{"x":1}`, Want: `{"objectId":"<o>","createdAt":"<ts>"}`}})
	self := strings.Repeat(pointer("A", "<o>")+",", 99) + pointer("A", "<o>")
	a.Play(t, []apptest.Step{
		{Do: "PUT /classes/A/<o>", Body: `{"l":[` + self + `]}`, Want: `{"updatedAt":"<ts>"}`},
		{Do: "GET /classes/A?include=l.l.l.l.l.l", Status: 400, Want: `{"code":102,"error":"The results exceed the maximum size of an answer of 1048576 bytes"}`},
		{Do: "GET /classes/A?include=l.l.l.l.l.l.l", Status: 400, Want: `{"code":102,"error":"Include depth of 7 exceeds maximum allowed depth of 6"}`},
		{Do: "GET /classes/A?include=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u", Status: 400, Want: `{"code":102,"error":"Number of include fields (21) exceeds maximum allowed (20)"}`},
		{Who: "master", Do: "GET /classes/A?include=a,b,c,d,e,f,g,h,i,j,k,m,n,o,p,q,r,s,t,u,v&keys=x", Want: `{"results":[{"objectId":"<o>","createdAt":"<ts>","updatedAt":"<ts>","x":1}]}`},
	})
}

func TestSubQueries(t *testing.T) {
	a := people(t, nil)
	const open = `"create":{"*":true},"update":{"*":true},"addField":{"*":true},"get":{"*":true}`
	a.Permissions("In", `{`+open+`,"find":{"*":true}}`, nil)
	a.Play(t, []apptest.Step{
		{Do: "POST /classes/In", Body: `{"n":1,"owner":` + pointer("_User", "<ann>") + `}`, Want: `{"objectId":"<i1>","createdAt":"<ts>"}`},
		{Do: "POST /classes/In", Body: `{"n":2,"ACL":{"<ann>":{"read":true}}}`, Want: `{"objectId":"<i2>","createdAt":"<ts>"}`},
		{Do: "POST /classes/Out", Body: `{"p":` + pointer("In", "<i1>") + `,"m":1}`, Want: `{"objectId":"<o1>","createdAt":"<ts>"}`},
		{Do: "POST /classes/Out", Body: `{"p":` + pointer("In", "<i2>") + `,"m":2}`, Want: `{"objectId":"<o2>","createdAt":"<ts>"}`},
	})
	one := func(n string) string {
		return `{"objectId":"<o` + n + `>","createdAt":"<ts>","updatedAt":"<ts>","m":` + n + `}`
	}
	inQuery := `GET /classes/Out?keys=m&order=m&where={"p":{"$inQuery":{"className":"In","where":{}}}}`
	selected := `GET /classes/Out?keys=m&order=m&where={"m":{"$select":{"query":{"className":"In","where":{}},"key":"n"}}}`
	a.Play(t, []apptest.Step{
		{Do: inQuery, Want: `{"results":[` + one("1") + `]}`},
		{Who: "<tokann>", Do: inQuery, Want: `{"results":[` + one("1") + `,` + one("2") + `]}`},
		{Do: selected, Want: `{"results":[` + one("1") + `]}`},
		{Who: "<tokann>", Do: selected, Want: `{"results":[` + one("1") + `,` + one("2") + `]}`},
	})
	for _, tt := range []struct {
		name, find, who string
		status          int
		want            string
	}{
		{"denied", `{}`, "public", 400, no119},
		{"denied to a user", `{}`, "<tokann>", 400, no119},
		{"the master key", `{}`, "master", 200, `{"results":[` + one("1") + `,` + one("2") + `]}`},
		{"users only", `{"requiresAuthentication":true}`, "public", 404, no101},
		{"by pointer, without a user", `{"pointerFields":["owner"]}`, "public", 200, `{"results":[]}`},
		{"by pointer, another user", `{"pointerFields":["owner"]}`, "<tokbob>", 200, `{"results":[]}`},
		{"by pointer, the user", `{"pointerFields":["owner"]}`, "<tokann>", 200, `{"results":[` + one("1") + `]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.Permissions("In", `{`+open+`,"find":`+tt.find+`}`, nil)
			a.Play(t, []apptest.Step{
				{Who: tt.who, Do: inQuery, Status: tt.status, Want: tt.want},
				{Who: tt.who, Do: selected, Status: tt.status, Want: tt.want},
			})
		})
	}
	sessions := `GET /classes/Out?where={"m":{"$select":{"query":{"className":"_Session","where":{}},"key":"sessionToken"}}}`
	a.Play(t, []apptest.Step{
		{Do: sessions, Status: 400, Want: `{"code":209,"error":"Permission denied"}`},
		{Who: "<tokann>", Do: sessions, Want: `{"results":[]}`},
	})
}

func TestRelatedTo(t *testing.T) {
	a := people(t, nil)
	a.Play(t, []apptest.Step{
		{Do: "POST /classes/Kid", Body: `{"n":1}`, Want: `{"objectId":"<k1>","createdAt":"<ts>"}`},
		{Do: "POST /classes/Kid", Body: `{"n":2,"ACL":{"<ann>":{"read":true}}}`, Want: `{"objectId":"<k2>","createdAt":"<ts>"}`},
		{Who: "<tokann>", Do: "POST /classes/Par", Body: `{"ACL":{"<ann>":{"read":true,"write":true}},"kids":{"__op":"AddRelation","objects":[` + pointer("Kid", "<k1>") + `,` + pointer("Kid", "<k2>") + `]}}`, Want: `{"objectId":"<p>","createdAt":"<ts>"}`},
	})
	related := `GET /classes/Kid?keys=n&order=n&where={"$relatedTo":{"object":` + pointer("Par", "<p>") + `,"key":"kids"}}`
	k1 := `{"objectId":"<k1>","createdAt":"<ts>","updatedAt":"<ts>","n":1}`
	k2 := `{"objectId":"<k2>","createdAt":"<ts>","updatedAt":"<ts>","n":2,"ACL":{"<ann>":{"read":true}}}`
	a.Play(t, []apptest.Step{
		{Who: "master", Do: related, Want: `{"results":[` + k1 + `,` + k2 + `]}`},
		{Who: "<tokann>", Do: related, Want: `{"results":[` + k1 + `,` + k2 + `]}`},
		{Who: "<tokbob>", Do: related, Want: `{"results":[]}`},
		{Do: related, Want: `{"results":[]}`},
		{Do: strings.Replace(related, `where={`, `where={"objectId":"<k1>",`, 1), Want: `{"results":[]}`},
		{Who: "<tokann>", Do: strings.Replace(related, `"kids"`, `"nosuch"`, 1), Want: `{"results":[]}`},
		{Who: "<tokann>", Do: "GET /classes/Par?keys=kids&where={\"kids\":" + pointer("Kid", "<k1>") + "}", Want: `{"results":[{"objectId":"<p>","createdAt":"<ts>","updatedAt":"<ts>","kids":{"__type":"Relation","className":"Kid"},"ACL":{"<ann>":{"read":true,"write":true}}}]}`},
		{Who: "<tokann>", Do: "PUT /classes/Par/<p>", Body: `{"kids":{"__op":"Batch","ops":[{"__op":"AddRelation","objects":[` + pointer("Kid", "<k1>") + `]},{"__op":"RemoveRelation","objects":[` + pointer("Kid", "<k2>") + `]}]}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: related, Want: `{"results":[` + k1 + `]}`},
		{Who: "<tokann>", Do: "PUT /classes/Par/<p>", Body: `{"kids":{"__type":"Relation","className":"Kid"}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: "PUT /classes/Par/<p>", Body: `{"kids":{"__op":"AddRelation","objects":[]}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "<tokann>", Do: related, Want: `{"results":[` + k1 + `]}`},
		{Who: "<tokann>", Do: "GET /classes/Par?redirectClassNameForKey=kids&keys=n&order=n", Want: `{"results":[` + k1[:len(k1)-1] + `,"className":"Kid"},` + k2[:len(k2)-1] + `,"className":"Kid"}]}`},
		{Do: "GET /classes/Kid?redirectClassNameForKey=n&keys=n", Want: `{"results":[` + k1[:len(k1)-1] + `,"className":"Kid"}]}`},
		{Who: "<tokann>", Do: "GET /classes/_Role?redirectClassNameForKey=users&keys=username&order=username", Want: `{"results":[{"objectId":"<ann>",<any>"className":"_User"}]}`},
	})
	if reads := a.Do(a.Fill("<tokann>"), a.Fill(related), "").Reads; strings.Contains(reads, "Par") {
		t.Errorf("the answer says what the query tells by itself: %s", reads)
	}
	a.Permissions("Par", `{"find":{"*":true},"get":{"*":true},"protectedFields":{"*":["kids"]}}`, nil)
	a.Play(t, []apptest.Step{{Who: "<tokann>", Do: related, Status: 400, Want: no119}})
	a.Permissions("Par", `{"find":{"*":true},"get":{}}`, nil)
	a.Play(t, []apptest.Step{{Who: "<tokann>", Do: related, Want: `{"results":[]}`}})
}

func TestReads(t *testing.T) {
	a := apptest.New(t, nil)
	var list []string
	for i := range 500 {
		list = append(list, pointer("Gone", fmt.Sprintf("missing%03d", i)))
	}
	a.Play(t, []apptest.Step{
		{Do: "POST /classes/A", Body: `{"l":[` + strings.Join(list[:3], ",") + `],"few":` + pointer("Few", "a b") + `}`, Want: `{"objectId":"<o>","createdAt":"<ts>"}`},
		{Do: "POST /classes/B", Body: `{"l":[` + strings.Join(list, ",") + `],"few":` + pointer("Few", "x") + `}`, Want: `{"objectId":"<p>","createdAt":"<ts>"}`},
	})
	for _, tt := range []struct{ request, want string }{
		{"GET /classes/A", ""},
		{"GET /classes/A?include=l", "Gone:missing000 Gone:missing001 Gone:missing002"},
		{"GET /classes/A?include=few", "Few"},          // an id that can't stand in a header
		{"GET /classes/B?include=l,few", "Gone Few:x"}, // too many ids
	} {
		if got := a.Do("", tt.request, "").Reads; !sameWords(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.request, got, tt.want)
		}
	}
}
