package gcs_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/storage/v1"
)

// fake is a server that follows the documentation of the JSON API, and of the XML
// API's reads, where the emulator does not: preconditions of every method, source
// deletion, error documents.
// https://cloud.google.com/storage/docs/json_api/v1
type fake struct {
	URL      string
	requests atomic.Int64
	// before may answer a request in the server's place.
	before func(w http.ResponseWriter, r *http.Request) (answered bool)
	// pace is how many bytes one rewrite request moves; 0 is all.
	pace int64
	// ignoresSums composes whatever sum the destination is to have.
	ignoresSums bool
	// held are names that may not be deleted.
	held map[string]bool
	// named is whether each deletion that was done named a generation.
	named []bool

	mu         sync.Mutex
	buckets    map[string]map[string]*stored
	generation int64
	log        []string // method and path of each request
}

type stored struct {
	storage.Object
	data []byte
}

func newFake(t testing.TB, buckets ...string) *fake {
	f := &fake{buckets: map[string]map[string]*stored{}, generation: 1_700_000_000_000_000}
	for _, name := range buckets {
		f.buckets[name] = map[string]*stored{}
	}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.URL = srv.URL
	return f
}

func (f *fake) addBucket(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buckets[name] = map[string]*stored{}
}

// names are the objects of a bucket.
func (f *fake) names(bucket string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.buckets[bucket]))
}

// refusal is an error reply.
type refusal struct {
	status          int
	reason, message string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	if f.before == nil || !f.before(w, r) {
		f.serve(w, r)
	}
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range path {
		path[i], _ = url.PathUnescape(path[i])
	}
	var body []byte
	if r.Method == http.MethodPost {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return // a body that broke off changes nothing
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, r.Method+" "+r.URL.EscapedPath())
	if path[0] == "batch" {
		f.batch(w, r.Header.Get("Content-Type"), body)
		return
	}
	if path[0] != "storage" && path[0] != "upload" {
		f.xmlRead(w, r, path[0], strings.Join(path[1:], "/"))
		return
	}
	answer(w, func() (any, *refusal) { return f.json(r, path, body) })
}

func answer(w http.ResponseWriter, call func() (any, *refusal)) {
	reply, bad := call()
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if bad != nil {
		w.WriteHeader(bad.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": bad.status, "message": bad.message,
			"errors": []any{map[string]any{"domain": "global", "reason": bad.reason, "message": bad.message}}}})
		return
	}
	if reply == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_ = json.NewEncoder(w).Encode(reply)
}

// batch answers the calls of a batch, the last one first: no order is promised.
// https://cloud.google.com/storage/docs/batch
func (f *fake) batch(w http.ResponseWriter, contentType string, body []byte) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	type called struct {
		id    string
		reply *httptest.ResponseRecorder
	}
	var all []called
	for parts := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := parts.NextPart()
		if err != nil {
			break
		}
		reply := httptest.NewRecorder()
		req, err := http.ReadRequest(bufio.NewReader(part))
		if err != nil || req.Host == "" || len(all) == 100 {
			reply.WriteHeader(http.StatusBadRequest)
		} else {
			path := strings.Split(strings.TrimPrefix(req.URL.EscapedPath(), "/"), "/")
			for i := range path {
				path[i], _ = url.PathUnescape(path[i])
			}
			answer(reply, func() (any, *refusal) { return f.json(req, path, nil) })
		}
		all = append(all, called{part.Header.Get("Content-Id"), reply})
	}
	out := multipart.NewWriter(w)
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+out.Boundary())
	for _, c := range slices.Backward(all) {
		part, _ := out.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/http"}, "Content-Id": {strings.Replace(c.id, "<", "<response-", 1)}})
		_ = c.reply.Result().Write(part)
	}
	_ = out.Close()
}

func (f *fake) json(r *http.Request, path []string, body []byte) (any, *refusal) {
	q := r.URL.Query()
	if path[0] == "upload" {
		path = path[1:]
	}
	objects, ok := f.buckets[path[3]]
	if !ok {
		return nil, &refusal{404, "notFound", "The specified bucket does not exist."}
	}
	switch {
	case r.Method == http.MethodPost && len(path) == 5:
		return f.insert(objects, q, r.Header.Get("Content-Type"), body)
	case r.Method == http.MethodGet && len(path) == 5:
		return list(objects, q)
	case r.Method == http.MethodGet:
		o := objects[path[5]]
		if o == nil {
			return nil, absent(path[5])
		}
		return &o.Object, nil
	case r.Method == http.MethodDelete:
		o := objects[path[5]]
		if f.held[path[5]] {
			return nil, &refusal{403, "objectUnderActiveHold", "Object is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed."}
		}
		if o == nil || q.Has("generation") && q.Get("generation") != strconv.FormatInt(o.Generation, 10) {
			return nil, absent(path[5])
		}
		f.named = append(f.named, q.Has("generation"))
		delete(objects, path[5])
		return nil, nil
	case path[6] == "compose":
		return f.compose(objects, q, path[5], body)
	default:
		return f.rewrite(objects, q, path[5], path[len(path)-1], body)
	}
}

func absent(name string) *refusal {
	return &refusal{404, "notFound", "No such object: " + name}
}

func unmet(o *stored, match string) *refusal {
	have := "0"
	if o != nil {
		have = strconv.FormatInt(o.Generation, 10)
	}
	if match != "" && match != have {
		return &refusal{412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."}
	}
	return nil
}

func (f *fake) store(objects map[string]*stored, name string, o storage.Object, data []byte) *storage.Object {
	f.generation++
	o.Name, o.Generation, o.Size = name, f.generation, uint64(len(data))
	o.Updated = time.Now().UTC().Format(time.RFC3339Nano)
	o.Crc32c = sum(data)
	objects[name] = &stored{o, data}
	return &objects[name].Object
}

func sum(data []byte) string {
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

func (f *fake) insert(objects map[string]*stored, q url.Values, contentType string, body []byte) (any, *refusal) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, &refusal{400, "badRequest", err.Error()}
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var o storage.Object
	head, err := parts.NextPart()
	if err == nil {
		err = json.NewDecoder(head).Decode(&o)
	}
	if err != nil {
		return nil, &refusal{400, "parseError", err.Error()}
	}
	media, err := parts.NextPart()
	if err != nil {
		return nil, &refusal{400, "badContent", err.Error()}
	}
	data, err := io.ReadAll(media)
	if err == nil {
		_, err = parts.NextPart()
	}
	if !errors.Is(err, io.EOF) {
		return nil, &refusal{400, "badContent", fmt.Sprint("not two parts: ", err)}
	}
	if o.Crc32c != "" && o.Crc32c != sum(data) {
		return nil, &refusal{400, "invalid", "Provided CRC32C doesn't match calculated CRC32C."}
	}
	name := q.Get("name")
	if bad := unmet(objects[name], q.Get("ifGenerationMatch")); bad != nil {
		return nil, bad
	}
	return f.store(objects, name, o, data), nil
}

func list(objects map[string]*stored, q url.Values) (any, *refusal) {
	limit, _ := strconv.Atoi(q.Get("maxResults"))
	limit = min(max(limit, 1), 1000)
	out := &storage.Objects{}
	count, last := 0, ""
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		rest, ok := strings.CutPrefix(name, q.Get("prefix"))
		end := q.Get("endOffset")
		if !ok || name < q.Get("startOffset") || end != "" && name >= end {
			continue
		}
		shown, rolled := name, false
		if d := q.Get("delimiter"); d != "" {
			if i := strings.Index(rest, d); i >= 0 {
				shown, rolled = q.Get("prefix")+rest[:i+len(d)], true
			}
		}
		if shown == last || shown <= q.Get("pageToken") {
			continue
		}
		if count == limit {
			out.NextPageToken = last
			break
		}
		count, last = count+1, shown
		if rolled {
			out.Prefixes = append(out.Prefixes, shown)
		} else {
			out.Items = append(out.Items, &objects[name].Object)
		}
	}
	return out, nil
}

func (f *fake) compose(objects map[string]*stored, q url.Values, name string, body []byte) (any, *refusal) {
	var r storage.ComposeRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, &refusal{400, "parseError", err.Error()}
	}
	if n := len(r.SourceObjects); n < 1 || n > 32 {
		return nil, &refusal{400, "invalid", "The number of source components provided must be between 1 and 32."}
	}
	if bad := unmet(objects[name], q.Get("ifGenerationMatch")); bad != nil {
		return nil, bad
	}
	var data []byte
	for _, s := range r.SourceObjects {
		o := objects[s.Name]
		if o == nil || s.Generation != 0 && o.Generation != s.Generation {
			return nil, absent(s.Name)
		}
		if p := s.ObjectPreconditions; p != nil {
			if bad := unmet(o, strconv.FormatInt(p.IfGenerationMatch, 10)); bad != nil {
				return nil, bad
			}
		}
		data = append(data, o.data...)
	}
	if sent := r.Destination.Crc32c; sent != "" && sent != sum(data) && !f.ignoresSums {
		return nil, &refusal{400, "invalid", "Provided CRC32C doesn't match calculated CRC32C."}
	}
	made := f.store(objects, name, *r.Destination, data)
	if r.DeleteSourceObjects {
		for _, s := range r.SourceObjects {
			delete(objects, s.Name)
		}
	}
	return made, nil
}

func (f *fake) rewrite(objects map[string]*stored, q url.Values, from, to string, body []byte) (any, *refusal) {
	src := objects[from]
	if bad := unmet(src, q.Get("ifSourceGenerationMatch")); bad != nil {
		return nil, bad
	}
	if src == nil {
		return nil, absent(from)
	}
	if bad := unmet(objects[to], q.Get("ifGenerationMatch")); bad != nil {
		return nil, bad
	}
	done, _ := strconv.ParseInt(q.Get("rewriteToken"), 10, 64)
	if done += f.pace; f.pace > 0 && done < int64(len(src.data)) {
		return &storage.RewriteResponse{RewriteToken: strconv.FormatInt(done, 10), TotalBytesRewritten: done, ObjectSize: int64(len(src.data))}, nil
	}
	var o storage.Object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, &refusal{400, "parseError", err.Error()}
	}
	if o.ContentType == "" && o.Metadata == nil && o.StorageClass == "" {
		o.ContentType, o.Metadata, o.StorageClass = src.ContentType, src.Metadata, src.StorageClass
	}
	made := f.store(objects, to, o, src.data)
	return &storage.RewriteResponse{Done: true, Resource: made, ObjectSize: int64(len(src.data)), TotalBytesRewritten: int64(len(src.data))}, nil
}

func (f *fake) xmlRead(w http.ResponseWriter, r *http.Request, bucket, name string) {
	fail := func(status int, code string) {
		w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>refused</Message></Error>", code)
	}
	objects, ok := f.buckets[bucket]
	o := objects[name]
	q := r.URL.Query()
	signed, _ := time.Parse("20060102T150405Z", q.Get("X-Goog-Date"))
	life, _ := strconv.Atoi(q.Get("X-Goog-Expires"))
	switch {
	case q.Has("X-Goog-Signature") && time.Now().After(signed.Add(time.Duration(life)*time.Second)):
		fail(400, "ExpiredToken")
		return
	case r.Method == http.MethodDelete && (!q.Has("X-Goog-Signature") || r.Header.Get("Authorization") != ""):
		fail(403, "SignatureDoesNotMatch")
		return
	case !ok:
		fail(404, "NoSuchBucket")
		return
	case unmet(o, r.Header.Get("X-Goog-If-Generation-Match")) != nil:
		fail(412, "PreconditionFailed")
		return
	case o == nil, q.Has("generation") && q.Get("generation") != strconv.FormatInt(o.Generation, 10):
		fail(404, "NoSuchKey")
		return
	case r.Method == http.MethodDelete:
		f.named = append(f.named, q.Has("generation"))
		delete(objects, name)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h := w.Header()
	h.Set("Content-Type", o.ContentType)
	h.Set("X-Goog-Generation", strconv.FormatInt(o.Generation, 10))
	for k, v := range o.Metadata {
		h.Set("X-Goog-Meta-"+k, v)
	}
	for query, header := range map[string]string{
		"response-content-type": "Content-Type", "response-cache-control": "Cache-Control", "response-content-disposition": "Content-Disposition",
	} {
		if v := r.URL.Query().Get(query); v != "" {
			h.Set(header, v)
		}
	}
	at, _ := time.Parse(time.RFC3339, o.Updated)
	if o.ContentEncoding == "gzip" {
		// https://cloud.google.com/storage/docs/transcoding
		if r.Header.Get("Accept-Encoding") != "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(o.data))
			if err != nil {
				fail(503, "ServiceUnavailable")
				return
			}
			_, _ = io.Copy(w, z) // whole, without a length
			return
		}
		h.Set("Content-Encoding", "gzip")
	}
	if rng := r.Header.Get("Range"); rng != "" && len(o.data) == 0 {
		fail(416, "InvalidRange") // net/http would answer 200
		return
	}
	http.ServeContent(w, r, "", at, bytes.NewReader(o.data))
}
