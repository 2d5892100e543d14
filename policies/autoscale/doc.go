// Package autoscale decides how many workers a pool should have, from how many requests it is asked to answer at once.
//
// The decision is that of Knative's pod autoscaler (KPA): an average over a minute, and in a panic one over six seconds,
// divided by what one worker is to have under way. Two things are added to it. What workers could do when there were too
// few of them is remembered, so that a pool isn't made smaller than what the load has just proved to need: requests under
// way become few as soon as there are enough workers, and by them alone a pool would shrink and grow for ever. And where
// the workers share one machine, none is added while its processors are busy.
//
// It must not know who the workers are, how they are started or stopped, or what a request is.
package autoscale
