package config

import (
	"fmt"
	"io"
	"log/slog"
	"math"
)

// Logging says what is logged. The log goes to standard error.
type Logging struct {
	// LogLevel is the least that is logged: error, warn, info, or one of verbose, debug and silly, which are one here.
	// Default: info.
	LogLevel string `json:"logLevel,omitempty"`
	// Verbose logs everything, whatever LogLevel says. Default: false.
	Verbose bool `json:"verbose,omitempty"`
	// Silent logs nothing to standard error. Default: false.
	Silent bool `json:"silent,omitempty"`
	// JSONLogs makes each line of the log a JSON object. Default: false.
	JSONLogs bool `json:"jsonLogs,omitempty"`
}

var logLevels = map[string]slog.Level{
	"": slog.LevelInfo, "error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo,
	"verbose": slog.LevelDebug, "debug": slog.LevelDebug, "silly": slog.LevelDebug,
}

// Level is the least level that is written.
func (l Logging) Level() slog.Level {
	switch {
	case l.Silent:
		return math.MaxInt
	case l.Verbose:
		return slog.LevelDebug
	}
	return logLevels[l.LogLevel]
}

// Handler writes the log.
func (l Logging) Handler(to io.Writer) slog.Handler {
	o := &slog.HandlerOptions{Level: l.Level()}
	if l.JSONLogs {
		return slog.NewJSONHandler(to, o)
	}
	return slog.NewTextHandler(to, o)
}

func (l Logging) check() error {
	if _, ok := logLevels[l.LogLevel]; !ok {
		return fmt.Errorf("option logLevel must be error, warn, info, verbose, debug or silly, not %q", l.LogLevel)
	}
	return nil
}
