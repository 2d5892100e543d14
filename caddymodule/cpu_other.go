//go:build !linux

package caddymodule

import "time"

// cpuMeter knows nothing here: workers are added without regard to the processors.
type cpuMeter struct{}

func (*cpuMeter) share(time.Time) float64 { return 0 }
