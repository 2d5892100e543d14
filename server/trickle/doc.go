// Package trickle ends uploads that come in too slowly while others can't begin because of them.
//
// It must not know what is uploaded, nor where to.
package trickle
