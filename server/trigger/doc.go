// Package trigger is the language in which the paths to the data and an app's own code speak of triggers: what happens to
// which object or query, who asked for it, and what the code may change about it. Package cloud has the code.
//
// It must not know of transactions, nor how the code is run.
package trigger
