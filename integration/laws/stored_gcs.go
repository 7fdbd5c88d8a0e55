package laws

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// stored is what laws want to know of an object.
// https://cloud.google.com/storage/docs/json_api/v1/objects#resource
type stored struct {
	Name            string    `json:"name"`
	StorageClass    string    `json:"storageClass"`
	ContentEncoding string    `json:"contentEncoding"`
	CacheControl    string    `json:"cacheControl"`
	Size            int64     `json:"size,string"`
	CRC32C          string    `json:"crc32c"`
	Generation      int64     `json:"generation,string"`
	Metageneration  int64     `json:"metageneration,string"`
	TimeCreated     time.Time `json:"timeCreated"`
}

// stat asks the store itself for an object: for its live version where generation is "".
// It returns nil where there is none. During a change that has its names for itself, it
// asks once for each.
func (e *Enforcer) stat(ctx context.Context, n name, generation string) *stored {
	known, _ := ctx.Value(knownKey{}).(map[version]*stored)
	if o, ok := known[version{n, generation}]; ok {
		return o
	}
	o := new(stored)
	if err := e.askStore(ctx, http.MethodGet, n, url.Values{"generation": {generation}}, nil, o); err != nil {
		o = nil
	}
	if known != nil {
		known[version{n, generation}] = o
	}
	return o
}

// version names an object of one generation.
type version struct {
	name
	generation string
}

// knownKey is for the objects that stat has asked for during a call.
type knownKey struct{}

// remembering is c with a memory for stat. No one else may change the objects meanwhile.
func remembering(c call) call {
	c.Request = c.WithContext(context.WithValue(c.Context(), knownKey{}, make(map[version]*stored)))
	return c
}

// remove deletes one version of an object from the store itself.
func (e *Enforcer) remove(ctx context.Context, n name, generation int64) error {
	return e.askStore(ctx, http.MethodDelete, n, url.Values{"generation": {fmt.Sprint(generation)}}, nil, nil)
}

// askStore sends a request of a law's own on one object to the store.
func (e *Enforcer) askStore(ctx context.Context, method string, n name, q url.Values, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	if q.Get("generation") == "" {
		q.Del("generation")
	}
	at := e.gcs.Endpoint + "/storage/v1/b/" + url.PathEscape(n.bucket) + "/o/" + url.PathEscape(n.key) + "?" + q.Encode()
	req, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, n, res.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// victim is an object that a call deletes or replaces.
type victim struct {
	name
	*stored
	composed bool // it is a source that the compose request deletes
}

// victims are the objects that c deletes or replaces, if it succeeds.
func (e *Enforcer) victims(c call) []victim {
	var all []victim
	add := func(n name, generation string, composed bool) {
		if o := e.stat(c.Context(), n, generation); o != nil {
			all = append(all, victim{n, o, composed})
		}
	}
	switch {
	case deletes(c):
		add(c.target(), c.URL.Query().Get("generation"), false)
	case e.onGCS.makes(c):
		add(c.target(), "", false)
	}
	switch c.op {
	case "objects.move":
		add(c.source(), "", false)
	case "objects.compose":
		request, err := compositionOf(c)
		if err != nil || !request.DeleteSourceObjects {
			break
		}
		for _, source := range request.SourceObjects {
			add(name{c.bucket, source.Name}, source.Generation, true)
		}
	}
	return all
}

// succeeds passes a call on, and reports whether the store executed it.
func succeeds(w http.ResponseWriter, c call, next handler) bool {
	ok := false
	next(&headerEditor{ResponseWriter: w, edit: func(status int, _ http.Header) { ok = status/100 == 2 }}, c)
	return ok
}
