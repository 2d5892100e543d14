package write_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/users/apptest"
)

const (
	made    = `{"updatedAt":"<ts>"}`
	all     = "GET /classes/_Installation?order=createdAt&keys=deviceToken,installationId"
	created = `","createdAt":"<ts>","updatedAt":"<ts>"`
)

func installed(name string) string { return `{"objectId":"<` + name + `>","createdAt":"<ts>"}` }

func TestInstallations(t *testing.T) {
	for _, tt := range []struct {
		name      string
		configure func(*apptest.Options)
		steps     []apptest.Step
	}{
		{"one row for a device", nil, []apptest.Step{
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios"}`, Status: 400, Want: `{"code":135,"error":"at least one ID field (deviceToken, installationId) must be specified in this operation"}`},
			{Do: "POST /classes/_Installation", Body: `{"installationId":"A"}`, Status: 400, Want: `{"code":135,"error":"deviceType must be specified in this operation"}`},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"AbC"}`, Want: installed("a")},
			{Do: "POST /classes/_Installation", Body: `{"installationId":"aBc","badge":1}`, Status: 200, Want: made},
			{Who: "installation=ABC", Do: "POST /classes/_Installation", Body: `{"badge":2}`, Status: 200, Want: made},
			{Do: "PUT /classes/_Installation/<a>", Body: `{"installationId":"other"}`, Status: 400, Want: `{"code":136,"error":"installationId may not be changed in this operation"}`},
			{Do: "PUT /classes/_Installation/<a>", Body: `{"deviceType":"android"}`, Status: 400, Want: `{"code":136,"error":"deviceType may not be changed in this operation"}`},
			{Do: "PUT /classes/_Installation/nope", Body: `{"deviceType":"ios"}`, Status: 404, Want: `{"code":101,"error":"Object not found for update."}`},
			{Do: "GET /classes/_Installation/<a>", Want: `{"objectId":"<a>` + created + `,"installationId":"abc","deviceType":"ios","badge":2}`},
		}},
		{"a token moves to another installation", nil, []apptest.Step{
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a","deviceToken":"t"}`, Want: installed("a")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"b","deviceToken":"t"}`, Want: installed("b")},
			{Who: "master", Do: all, Want: `{"results":[{"objectId":"<b>` + created + `,"installationId":"b","deviceToken":"t"}]}`},
		}},
		{"but not to another app", nil, []apptest.Step{
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a","deviceToken":"t","appIdentifier":"x"}`, Want: installed("a")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"b","deviceToken":"t","appIdentifier":"y"}`, Want: installed("b")},
			{Who: "master", Do: all, Want: `{"results":[{"objectId":"<a>` + created + `,"installationId":"a","deviceToken":"t"},{"objectId":"<b>` + created + `,"installationId":"b","deviceToken":"t"}]}`},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","deviceToken":"t"}`, Status: 400, Want: `{"code":132,"error":"Must specify installationId when deviceToken matches multiple Installation objects"}`},
		}},
		{"rows that merge leave the one with the token", nil, []apptest.Step{
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","deviceToken":"t"}`, Want: installed("t")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a"}`, Want: installed("a")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a","deviceToken":"t"}`, Status: 200, Want: made},
			{Who: "master", Do: all, Want: `{"results":[{"objectId":"<t>` + created + `,"installationId":"a","deviceToken":"t"}]}`},
		}},
		{"or the one with the installation id", func(o *apptest.Options) { o.Write.Installations.KeepInstallationID = true }, []apptest.Step{
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","deviceToken":"t"}`, Want: installed("t")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a"}`, Want: installed("a")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a","deviceToken":"t"}`, Status: 200, Want: made},
			{Who: "master", Do: all, Want: `{"results":[{"objectId":"<a>` + created + `,"installationId":"a","deviceToken":"t"}]}`},
		}},
		{"tokens are cleared rather than rows deleted", func(o *apptest.Options) { o.Write.Installations.Clear = true }, []apptest.Step{
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a","deviceToken":"t"}`, Want: installed("a")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"b","deviceToken":"t"}`, Want: installed("b")},
			{Who: "master", Do: all, Want: `{"results":[{"objectId":"<a>` + created + `,"installationId":"a"},{"objectId":"<b>` + created + `,"installationId":"b","deviceToken":"t"}]}`},
		}},
		{"nothing is tidied up that the caller may not change", func(o *apptest.Options) { o.Write.Installations.EnforceAuth = true }, []apptest.Step{
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a","deviceToken":"t"}`, Want: installed("a")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"b","deviceToken":"t"}`, Want: installed("b")},
			{Who: "master", Do: all, Want: `{"results":[{"objectId":"<a>` + created + `,"installationId":"a","deviceToken":"t"},{"objectId":"<b>` + created + `,"installationId":"b","deviceToken":"t"}]}`},
		}},
		{"ids that are no texts stand for nobody's rows", nil, []apptest.Step{
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a","deviceToken":"t"}`, Want: installed("a")},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"b","deviceToken":{"$ne":"x"}}`, Status: 400, Want: `{"code":111,"error":"schema mismatch for _Installation.deviceToken; expected String but got Object"}`},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":{"$regex":"."}}`, Status: 400, Want: `{"code":111,"error":"schema mismatch for _Installation.installationId; expected String but got Object"}`},
			{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"b","deviceToken":"t","appIdentifier":{"$ne":"x"}}`, Status: 400, Want: `{"code":111,"error":"schema mismatch for _Installation.appIdentifier; expected String but got Object"}`},
			{Who: "master", Do: all, Want: `{"results":[{"objectId":"<a>` + created + `,"installationId":"a","deviceToken":"t"}]}`},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { apptest.New(t, tt.configure).Play(t, tt.steps) })
	}
}

// TestInstallationsAtOnce: a device that registers many times at once, as SDKs do that start together, has one row.
func TestInstallationsAtOnce(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"first"}`, Want: installed("first")}})
	together(20, func(i int) {
		body := fmt.Sprintf(`{"deviceType":"ios","installationId":"dev%d","deviceToken":"t%d"}`, i%2, i%2)
		if got := a.Do("", "POST /classes/_Installation", body); got.Status != 201 && got.Status != 200 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	a.Play(t, []apptest.Step{{Who: "master", Do: "GET /classes/_Installation?count=1&limit=0", Want: `{"results":[],"count":3}`}})
}

// TestInstallationsChangeMeanwhile: what is told of a row that is tidied up is what it was and became, also if others change it
// at the same time.
func TestInstallationsChangeMeanwhile(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Write.Installations.Clear = true })
	a.Play(t, []apptest.Step{{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"a","deviceToken":"t","badge":0}`, Want: installed("a")}})
	row := a.Fill("PUT /classes/_Installation/<a>")
	together(6, func(i int) {
		for j := range 15 {
			do, body := row, fmt.Sprintf(`{"badge":%d}`, 100*i+j)
			switch {
			case i == 0:
				body = `{"installationId":"a","deviceToken":"t"}`
			case i == 1:
				do, body = "POST /classes/_Installation", fmt.Sprintf(`{"deviceType":"ios","installationId":"b%d","deviceToken":"t"}`, j)
			}
			if got := a.Do("master", do, body); got.Status != 200 && got.Status != 201 {
				t.Errorf("%s %s: %d %s", do, body, got.Status, got.Body)
			}
		}
	})
	id := a.Fill("<a>")
	var all []change.Change
	for _, c := range a.Changes.Take() {
		if c.Class == "_Installation" && c.ObjectID == id {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b change.Change) int { return cmp.Compare(a.Version, b.Version) })
	for i := 1; i < len(all); i++ {
		if !reflect.DeepEqual(all[i].Before, all[i-1].After) {
			t.Fatalf("change %d was told to be made to\n%v, the one before it had left\n%v", i, all[i].Before, all[i-1].After)
		}
	}
	if len(all) < 70 {
		t.Errorf("%d changes", len(all))
	}
}

// TestInstallationsGoMeanwhile: a row that is deleted while it is tidied up fails nobody.
func TestInstallationsGoMeanwhile(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{{Do: "POST /classes/_Installation", Body: `{"deviceType":"ios","installationId":"first"}`, Want: installed("first")}})
	for round := range 20 {
		for i := range 4 {
			a.Play(t, []apptest.Step{{Do: "POST /classes/_Installation", Body: fmt.Sprintf(`{"deviceType":"ios","installationId":"i%d-%d","deviceToken":"t%d","appIdentifier":"app%d"}`, round, i, round, i), Want: installed(fmt.Sprintf("o%d%d", round, i))}})
		}
		together(5, func(i int) {
			if i < 4 {
				a.Do("master", a.Fill(fmt.Sprintf("DELETE /classes/_Installation/<o%d%d>", round, i)), "")
				return
			}
			if got := a.Do("", "POST /classes/_Installation", fmt.Sprintf(`{"deviceType":"ios","installationId":"new%d","deviceToken":"t%d"}`, round, round)); got.Status != 201 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
}
