package laws

import "net/http"

// readAbsent makes 404 of the 412 that Azurite answers to conditional reads of a blob that
// does not exist.
func readAbsent(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		conditional := c.Header.Get("If-Match") != "" || c.Header.Get("If-Unmodified-Since") != ""
		if c.op != "Get Blob" && c.op != "Get Blob Properties" || !conditional {
			next(w, c)
			return
		}
		if _, there := r.stored(c.Context(), c.blob()); there {
			next(w, c)
			return
		}
		answer := ask(c, next)
		if answer.Code == http.StatusPreconditionFailed {
			answerAzure(w, c, http.StatusNotFound, "BlobNotFound", "the blob does not exist")
			return
		}
		reply(w, answer, nil)
	}
}
