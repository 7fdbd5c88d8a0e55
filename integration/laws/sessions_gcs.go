package laws

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// uploadSessions are the resumable uploads that go through a proxy. Only the request
// that begins an upload names the object for certain.
// https://cloud.google.com/storage/docs/resumable-uploads
type uploadSessions struct {
	mu   sync.Mutex
	byID map[string]uploadSession
}

type uploadSession struct {
	bucket, key string
	received    int64
	done        bool
}

func (u *uploadSessions) find(id string) (uploadSession, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up, ok := u.byID[id]
	return up, ok
}

func (u *uploadSessions) set(id string, up uploadSession) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byID == nil {
		u.byID = make(map[string]uploadSession)
	}
	u.byID[id] = up
}

// finishes reports whether c makes the object of an upload, if it succeeds: c is then the
// whole of the upload, or its end.
func (u *uploadSessions) finishes(c call) bool {
	q := c.URL.Query()
	up, ok := u.find(q.Get("upload_id"))
	switch {
	case c.Method != http.MethodPut && c.Method != http.MethodPost:
		return false
	case !ok:
		return q.Get("uploadType") != "resumable" && !q.Has("upload_id") && c.Header.Get("X-Goog-Upload-Protocol") != "resumable"
	case up.done:
		return false
	}
	sent := c.Header.Get("Content-Range")
	var first, last, total int64
	if n, _ := fmt.Sscanf(sent, "bytes %d-%d/%d", &first, &last, &total); n == 3 {
		return last+1 >= total
	}
	if n, _ := fmt.Sscanf(sent, "bytes */%d", &total); n == 1 {
		return up.received == total
	}
	return sent == ""
}

// follow learns of uploads that begin and of the bytes that arrive, and leads the rest
// of an upload through the proxy: the store would have it come straight.
func (s *gcsState) follow(next handler) handler {
	return func(w http.ResponseWriter, c call) {
		id := c.URL.Query().Get("upload_id")
		up, goesOn := s.sessions.find(id)
		switch {
		case goesOn:
			finishes := s.sessions.finishes(c)
			w = &headerEditor{ResponseWriter: w, edit: func(status int, _ http.Header) {
				if status/100 != 2 && status != http.StatusPermanentRedirect {
					return
				}
				var first, last int64
				if n, _ := fmt.Sscanf(c.Header.Get("Content-Range"), "bytes %d-%d", &first, &last); n == 2 {
					up.received = last + 1
				}
				up.done = up.done || finishes
				s.sessions.set(id, up)
			}}
		case c.op == "objects.insert" || c.op == "POST Object":
			w = &headerEditor{ResponseWriter: w, edit: func(_ int, h http.Header) { s.begin(c, h) }}
		}
		next(w, c)
	}
}

// begin reads the answer to a request that may begin an upload.
func (s *gcsState) begin(c call, h http.Header) {
	at, err := url.Parse(h.Get("Location"))
	if err != nil || at.Query().Get("upload_id") == "" {
		return
	}
	s.sessions.set(at.Query().Get("upload_id"), uploadSession{bucket: c.bucket, key: c.key})
	for _, name := range []string{"Location", "X-Goog-Upload-Url"} {
		if h.Get(name) != "" {
			h.Set(name, strings.Replace(h.Get(name), at.Host, c.Host, 1))
		}
	}
}
