// Package google stands in for what Google has around Cloud Storage: an account with
// tokens ([NewAccount]), and its hosts, for programs that can't be told another
// endpoint ([Start]).
package google
