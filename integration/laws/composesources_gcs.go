package laws

import (
	"fmt"
	"net/http"
)

// composeSources answers 404 where a source of a compose request is not there, and deletes the
// sources where the request says so.
func composeSources(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if c.op != "objects.compose" {
			next(w, c)
			return
		}
		request, err := compositionOf(c)
		if err != nil {
			next(w, c)
			return
		}
		if len(request.SourceObjects) == 0 {
			r.refuseGCS(w, c, http.StatusBadRequest, "required", "You must provide at least one source component.")
			return
		}
		found := make(map[name]*stored)
		for _, source := range request.SourceObjects {
			n := name{c.bucket, source.Name}
			if found[n] = r.stat(c.Context(), n, source.Generation); found[n] == nil {
				r.refuseGCS(w, c, http.StatusNotFound, "notFound", fmt.Sprintf("No such object: %s", n))
				return
			}
		}
		rec := ask(c, next)
		if rec.Code == http.StatusOK && request.DeleteSourceObjects {
			for n, o := range found {
				if n == c.target() {
					continue // it is the composite object now
				}
				if err := r.remove(c.Context(), n, o.Generation); err != nil {
					r.logf("law %s: source: %v", r.law, err)
				}
			}
		}
		reply(w, rec, nil)
	}
}
