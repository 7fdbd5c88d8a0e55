package laws

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

// name is that of an object.
type name struct{ bucket, key string }

func (n name) String() string { return n.bucket + "/" + n.key }

// target names the object that c reads or changes.
func (c call) target() name { return name{c.bucket, c.key} }

// source names the object that a copy or a move reads.
func (c call) source() name {
	if names := namesGCS(c.Request); len(names) > 6 {
		return name{names[3], names[5]}
	}
	return name{}
}

// makes reports whether c makes an object at its target, if it succeeds.
func (s *gcsState) makes(c call) bool {
	switch c.op {
	case "objects.insert", "PUT Object":
		return s.sessions.finishes(c)
	case "objects.compose", "objects.rewrite", "objects.copy", "objects.move":
		return true
	}
	return false
}

func deletes(c call) bool { return c.op == "objects.delete" || c.op == "DELETE Object" }

func patches(c call) bool { return c.op == "objects.patch" || c.op == "objects.update" }

// changed names the objects that c creates, updates or deletes, if it succeeds. The
// sources that a compose request deletes are not among them.
func (s *gcsState) changed(c call) []name {
	switch {
	case c.op == "objects.move":
		return []name{c.target(), c.source()}
	case s.makes(c), deletes(c), patches(c):
		return []name{c.target()}
	}
	return nil
}

// exclusive lets calls that change an object go one after another, so that laws can look
// at the object first. A body is read before: one that is slow would keep others waiting.
func (s *gcsState) exclusive(next handler) handler {
	return func(w http.ResponseWriter, c call) {
		var names []string
		for _, n := range s.changed(c) {
			names = append(names, n.String())
		}
		if len(names) == 0 {
			next(w, c)
			return
		}
		switch c.op {
		case "objects.rewrite", "objects.copy":
			names = append(names, c.source().String())
		case "objects.compose":
			if request, err := compositionOf(c); err == nil {
				for _, source := range request.SourceObjects {
					names = append(names, name{c.bucket, source.Name}.String())
				}
			}
		}
		body, err := io.ReadAll(c.Body)
		c.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
		defer s.locks.lock(names...)()
		next(w, remembering(c))
	}
}

// broken is how a body ends: with io.EOF where err is nil.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err == nil {
		return 0, io.EOF
	}
	return 0, b.err
}

// composition is the body of a compose request.
// https://cloud.google.com/storage/docs/json_api/v1/objects/compose
type composition struct {
	SourceObjects []composed `json:"sourceObjects"`
	Destination   struct {
		StorageClass string `json:"storageClass"`
		CRC32C       string `json:"crc32c"`
	} `json:"destination"`
	DeleteSourceObjects bool `json:"deleteSourceObjects"`
}

type composed struct {
	Name                string `json:"name"`
	Generation          string `json:"generation"`
	ObjectPreconditions struct {
		IfGenerationMatch string `json:"ifGenerationMatch"`
	} `json:"objectPreconditions"`
}

// compositionOf reads the body of a compose request, and leaves it to be read.
func compositionOf(c call) (composition, error) {
	var request composition
	body, err := bodyOf(c)
	if err != nil {
		return request, err
	}
	return request, json.Unmarshal(body, &request)
}

// bodyOf reads a body, and leaves it to be read.
func bodyOf(c call) ([]byte, error) {
	body, err := io.ReadAll(c.Body)
	c.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
	return body, err
}

// nameInBody reads the name of an object from the metadata that an upload begins with,
// and leaves the body to be read.
// https://cloud.google.com/storage/docs/json_api/v1/objects/insert
func nameInBody(r *http.Request) string {
	var seen bytes.Buffer
	body := r.Body
	var metadata struct{ Name string }
	switch from := io.TeeReader(body, &seen); r.URL.Query().Get("uploadType") {
	case "multipart":
		_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil {
			break
		}
		part, err := multipart.NewReader(from, params["boundary"]).NextPart()
		if err == nil {
			_ = json.NewDecoder(part).Decode(&metadata)
		}
	case "resumable":
		_ = json.NewDecoder(from).Decode(&metadata)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&seen, body), body}
	return metadata.Name
}
