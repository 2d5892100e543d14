// Package cache keeps answers to Parse reads and throws an answer away exactly when a change may have altered it. It
// decides what an answer depends on, which entries a change affects, and when an answer on its way may still be stored.
//
// It must not know of HTTP servers, of Caddy, of keys' making, nor where changes come from: it is a feed.Applier. See
// DESIGN.md for its invariants.
package cache
