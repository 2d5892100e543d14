package rest

import (
	"testing"

	"github.com/parsescale/parsescale/server/storage"
)

// TestShownConfig: whatever JavaScript takes for true hides a parameter; other servers on the database store marks as they are sent.
func TestShownConfig(t *testing.T) {
	row := storage.Object{
		"params":        map[string]any{"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0},
		"masterKeyOnly": map[string]any{"a": true, "b": 1.0, "c": "yes", "d": 0.0, "e": false, "gone": 1.0},
	}
	for master, want := range map[bool]string{
		false: `{"params":{"d":4,"e":5},"masterKeyOnly":{"d":0,"e":false,"gone":1}}`,
		true:  `{"params":{"a":1,"b":2,"c":3,"d":4,"e":5},"masterKeyOnly":{"a":true,"b":1,"c":"yes","d":0,"e":false,"gone":1}}`,
	} {
		if got := string(shownConfig(row, master)); got != want {
			t.Errorf("with the master key (%v): %s, want %s", master, got, want)
		}
	}
}
