package laws

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// sessionStatus answers how much of a resumable upload has arrived. The store takes the
// question for the end of the upload.
func sessionStatus(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		up, ok := r.onGCS.sessions.find(c.URL.Query().Get("upload_id"))
		if !ok || !strings.HasPrefix(c.Header.Get("Content-Range"), "bytes */") || r.onGCS.sessions.finishes(c) {
			next(w, c)
			return
		}
		h := w.Header()
		if up.done {
			h.Set("Content-Type", "application/json; charset=UTF-8")
			var resource json.RawMessage
			if r.askStore(c.Context(), http.MethodGet, name{up.bucket, up.key}, nil, nil, &resource) != nil {
				resource = json.RawMessage("{}") // deleted since
			}
			_, _ = w.Write(resource)
			return
		}
		if up.received > 0 {
			h.Set("Range", fmt.Sprintf("bytes=0-%d", up.received-1))
		}
		if c.Header.Get("X-Guploader-No-308") != "" {
			h.Set("X-Http-Status-Code-Override", "308")
			w.WriteHeader(http.StatusOK)
			return
		}
		w.WriteHeader(http.StatusPermanentRedirect)
	}
}
