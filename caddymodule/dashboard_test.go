package caddymodule

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

const dashboardFile = "../examples/grafana/parsescale.json"

// panel is a panel of a Grafana dashboard, as far as it is looked at here.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ RefID, Expr, LegendFormat string }
}

var (
	describedPattern = regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`)
	metricPattern    = regexp.MustCompile(`\bparsescale_\w+`)
	labelsPattern    = regexp.MustCompile(`\bby \(([^)]*)\)|(\w+)[=!]~?"|\{\{(\w+)\}\}`)
)

// exposed are the gateway's metrics with their labels; of a histogram those that Prometheus makes of it.
func exposed(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	descs := make(chan *prometheus.Desc)
	go func() {
		metrics{}.Describe(descs)
		close(descs)
	}()
	for d := range descs {
		m := describedPattern.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("cannot read %s", d)
		}
		labels := append(strings.Split(m[2], ","), "instance") // that one is Prometheus's own
		if d == durationDesc || d == matchingDesc {
			all[m[1]+"_bucket"], all[m[1]+"_sum"], all[m[1]+"_count"] = append(labels, "le"), labels, labels
			continue
		}
		all[m[1]] = labels
	}
	return all
}

// TestDashboard: the dashboard in examples/grafana asks for nothing that the gateway doesn't expose.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title, UID string
		Panels     []panel
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	known := exposed(t)
	check := func(where, expr, legend string) {
		names := metricPattern.FindAllString(expr, -1)
		if len(names) == 0 {
			t.Errorf("%s asks for no metric: %s", where, expr)
			return
		}
		for _, name := range names {
			labels, ok := known[name]
			if !ok {
				t.Errorf("%s asks for %s, which the gateway doesn't expose", where, name)
				continue
			}
			for _, m := range labelsPattern.FindAllStringSubmatch(expr+legend, -1) {
				for label := range strings.SplitSeq(m[1]+m[2]+m[3], ", ") {
					if !slices.Contains(labels, label) {
						t.Errorf("%s uses the label %s, and %s has only %v", where, label, name, labels)
					}
				}
			}
		}
		for _, pair := range []string{"()", "{}", "[]"} {
			if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
				t.Errorf("%s: %s don't match in %s", where, pair, expr)
			}
		}
	}
	for _, v := range dashboard.Templating.List {
		if rest, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			name, label, _ := strings.Cut(strings.TrimSuffix(rest, ")"), ", ")
			check("the variable "+v.Name, name, "{{"+label+"}}")
		}
	}
	ids, asked := map[int]bool{}, 0
	taken := map[[2]int]string{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("the panel %q lies upon %q, or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			check("the panel "+p.Title, target.Expr, target.LegendFormat)
			asked++
		}
	}
	if dashboard.Title == "" || dashboard.UID == "" || asked < 50 {
		t.Errorf("%q, uid %q, asks %d questions", dashboard.Title, dashboard.UID, asked)
	}
}
