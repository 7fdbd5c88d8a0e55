// Package redirect decides which pulls are sent to a signed URL, so that the bytes
// come from the store and not through the registry, and keeps such URLs: one
// signature serves many pulls, and caches on the way see one URL.
package redirect
