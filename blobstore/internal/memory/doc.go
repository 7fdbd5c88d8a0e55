// Package memory is the byte budget of a process's uploads.
//
// A [Budget] hands out slabs: small blocks of memory that are counted as they are
// filled. Nothing is reserved ahead, so that a client which sends little holds little. An
// upload joins the budget as a [Holder] and tells it how to spill: to persist the bytes
// that it holds, and to give their slabs back. When a slab can't be had, the budget has
// the holder spill that has been idle for longest.
//
// Waiting holders are served fairly between clients: the client that holds the fewest
// bytes comes first, and of one client's holders the one that has waited for longest.
package memory
