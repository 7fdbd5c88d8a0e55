package laws

import (
	"fmt"
	"net/http"
	"slices"
)

// objectRate refuses changes of an object name that follow too soon on another.
func objectRate(r rule) enforcement {
	limit := newKeyLimiter(r.options.GCS.KeyRate)
	return func(w http.ResponseWriter, c call, next handler) {
		changed := r.onGCS.changed(c)
		if !r.options.GCS.FreeSources {
			for _, n := range consumed(c) {
				if !slices.Contains(changed, n) {
					changed = append(changed, n)
				}
			}
		}
		for i, n := range changed {
			if limit.allow(n.String()) {
				continue
			}
			limit.giveBack(changed[:i])
			r.refuseGCS(w, c, http.StatusTooManyRequests, "rateLimitExceeded", fmt.Sprintf(
				"The object %s exceeded the rate limit for object mutation operations (create, update, and delete). "+
					"Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.", n))
			return
		}
		if !succeeds(w, c, next) && r.options.GCS.FreeRefusals {
			limit.giveBack(changed)
		}
	}
}

// consumed names the sources that a compose request deletes.
func consumed(c call) []name {
	if c.op != "objects.compose" {
		return nil
	}
	request, err := compositionOf(c)
	if err != nil || !request.DeleteSourceObjects {
		return nil
	}
	names := make([]name, 0, len(request.SourceObjects))
	for _, source := range request.SourceObjects {
		names = append(names, name{c.bucket, source.Name})
	}
	return names
}

// giveBack takes back what allow has counted.
func (l *keyLimiter) giveBack(names []name) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range names {
		t := l.keys[n.String()]
		t.left = min(l.burst, t.left+1)
		l.keys[n.String()] = t
	}
}
