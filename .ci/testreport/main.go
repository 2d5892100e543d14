// Command testreport reads what `go test -json` prints, shows the end of every package and the whole output of every test
// that failed, and names each test that was left out or took long. Its last line counts: "N passed, N failed, N skipped"; the three
// numbers are also appended to the file that TESTREPORT_COUNTS names, if it is set. It fails when a test failed, when none
// ran, and, with -no-skips, when one was left out.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// long is after how many seconds a test is named: together such tests are most of what a run takes.
const long = 8

// event is one line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

func main() {
	noSkips := flag.Bool("no-skips", false, "fail when a test was left out")
	flag.Parse()
	c, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	if err := keep(c, os.Getenv("TESTREPORT_COUNTS")); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	if c.failed > 0 || c.passed == 0 || *noSkips && c.skipped > 0 {
		os.Exit(1)
	}
}

// counts are tests, subtests included; a package that doesn't build counts as one failed test.
type counts struct{ passed, failed, skipped int }

// keep appends the counts to a file, if one is named.
func keep(c counts, path string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot keep the counts: %w", err)
	}
	if _, err := fmt.Fprintln(f, c.passed, c.failed, c.skipped); err != nil {
		f.Close()
		return fmt.Errorf("cannot keep the counts: %w", err)
	}
	return f.Close()
}

// report copies what matters of in to out.
func report(in io.Reader, out io.Writer) (counts, error) {
	var c counts
	outputs := map[string]*strings.Builder{} // of every test that runs, and of packages and builds under their own names
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			c.add(line, outputs, out)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return c, err
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
	return c, nil
}

func (c *counts) add(line []byte, outputs map[string]*strings.Builder, out io.Writer) {
	var e event
	if json.Unmarshal(line, &e) != nil || e.Action == "" {
		fmt.Fprintf(out, "%s", line) // not from a test: the go command's own words
		return
	}
	key := e.Package + "\x00" + e.Test
	if e.Package == "" {
		key = e.ImportPath + "\x00"
	}
	text := func() string {
		defer delete(outputs, key)
		if b := outputs[key]; b != nil {
			return b.String()
		}
		return ""
	}
	switch e.Action {
	case "output", "build-output":
		if outputs[key] == nil {
			outputs[key] = &strings.Builder{}
		}
		outputs[key].WriteString(e.Output)
	case "build-fail":
		fmt.Fprint(out, text())
	case "pass":
		if e.Test != "" {
			c.passed++
			text()
			if e.Elapsed >= long && !strings.Contains(e.Test, "/") {
				fmt.Fprintf(out, "      %6.1fs  %s\n", e.Elapsed, e.Test)
			}
			return
		}
		text()
		fmt.Fprintf(out, "ok    %6.1fs  %s\n", e.Elapsed, e.Package)
	case "skip":
		if e.Test == "" { // a package without tests
			text()
			return
		}
		c.skipped++
		fmt.Fprintf(out, "SKIP  %s %s\n%s", e.Package, e.Test, reason(text()))
	case "fail":
		c.failed++
		fmt.Fprint(out, text())
		if e.Test == "" {
			fmt.Fprintf(out, "FAIL  %6.1fs  %s\n", e.Elapsed, e.Package)
		}
	}
}

// reason leaves the test's own words of its output.
func reason(output string) string {
	var kept strings.Builder
	for line := range strings.Lines(output) {
		if trimmed := strings.TrimSpace(line); !strings.HasPrefix(trimmed, "===") && !strings.HasPrefix(trimmed, "---") {
			kept.WriteString("      " + trimmed + "\n")
		}
	}
	return kept.String()
}
