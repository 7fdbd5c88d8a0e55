package laws

import (
	"fmt"
	"net/http"
	"sync"
)

// holds refuses to delete or replace objects that are held. Their metadata may change.
func holds(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		for _, v := range r.victims(c) {
			if r.onGCS.held.has(v.name) {
				r.refuseGCS(w, c, http.StatusForbidden, "objectUnderActiveHold", fmt.Sprintf(
					"Object '%s' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.", v.name))
				return
			}
		}
		next(w, c)
	}
}

// Hold places a hold on an object of Google Cloud Storage.
// https://cloud.google.com/storage/docs/object-holds
func (e *Enforcer) Hold(bucket, object string) { e.onGCS.held.set(name{bucket, object}, true) }

// Release ends a hold.
func (e *Enforcer) Release(bucket, object string) { e.onGCS.held.set(name{bucket, object}, false) }

// heldNames are the objects that are held.
type heldNames struct {
	mu    sync.Mutex
	names map[name]bool
}

func (h *heldNames) set(n name, held bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.names == nil {
		h.names = make(map[name]bool)
	}
	h.names[n] = held
}

func (h *heldNames) has(n name) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.names[n]
}
