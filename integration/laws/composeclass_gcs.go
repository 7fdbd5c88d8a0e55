package laws

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// defaultClass is the storage class of the emulator's buckets.
const defaultClass = "STANDARD"

// composeClass refuses to compose sources of another storage class than the destination's.
func composeClass(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if c.op != "objects.compose" {
			next(w, c)
			return
		}
		request, err := compositionOf(c)
		if err != nil {
			next(w, c) // the store refuses it
			return
		}
		class := request.Destination.StorageClass
		inherits := class == "" && r.options.GCS.ComposeInherits
		if !inherits {
			class = cmp.Or(class, defaultClass)
		}
		for _, source := range request.SourceObjects {
			o := r.stat(c.Context(), name{c.bucket, source.Name}, source.Generation)
			if o == nil {
				continue
			}
			if class = cmp.Or(class, o.StorageClass); o.StorageClass != class {
				r.refuseGCS(w, c, http.StatusBadRequest, "invalid", fmt.Sprintf(
					"Cannot compose object with destination storage class %s from source components that have different storage classes (%s)", class, o.StorageClass))
				return
			}
		}
		if inherits {
			storeAs(c, class)
		}
		next(w, c)
	}
}

// storeAs has a compose request name the class of its destination.
func storeAs(c call, class string) {
	body, err := bodyOf(c)
	if err != nil {
		return
	}
	var request, destination map[string]any
	if json.Unmarshal(body, &request) != nil {
		return
	}
	destination, _ = request["destination"].(map[string]any)
	if destination == nil {
		destination = make(map[string]any)
	}
	destination["storageClass"] = class
	request["destination"] = destination
	if body, err = json.Marshal(request); err != nil {
		return
	}
	c.Body, c.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	c.Header.Del("Content-Length")
}
