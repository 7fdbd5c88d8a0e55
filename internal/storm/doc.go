// Package storm is what simulations of several processes on one bucket have in common: processes
// whose calls of the store fail, lose their replies, take hours or are their last, and a ledger of
// what clients were told, by which what is left is judged.
package storm
