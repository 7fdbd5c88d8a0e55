package laws

import (
	"encoding/json"
	"net/http"
)

// rewriteClass stores the destination of a copy in the class that the request names. The
// store drops it.
func rewriteClass(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if c.op != "objects.rewrite" && c.op != "objects.copy" {
			next(w, c)
			return
		}
		var wanted struct {
			StorageClass string `json:"storageClass"`
		}
		if body, err := bodyOf(c); err == nil {
			_ = json.Unmarshal(body, &wanted) // a body is optional
		}
		if wanted.StorageClass == "" || wanted.StorageClass == defaultClass {
			next(w, c)
			return
		}
		rec := ask(c, next)
		if rec.Code != http.StatusOK {
			reply(w, rec, nil)
			return
		}
		var resource json.RawMessage
		err := r.askStore(c.Context(), http.MethodPatch, c.target(), nil, wanted, nil)
		if err == nil {
			err = r.askStore(c.Context(), http.MethodGet, c.target(), nil, nil, &resource)
		}
		if err != nil {
			r.logf("law %s: %v", r.law, err)
			reply(w, rec, nil)
			return
		}
		body := []byte(resource)
		if c.op == "objects.rewrite" {
			var whole map[string]json.RawMessage
			if json.Unmarshal(rec.Body.Bytes(), &whole) == nil {
				whole["resource"] = resource
				body, _ = json.Marshal(whole)
			}
		}
		reply(w, rec, body)
	}
}
