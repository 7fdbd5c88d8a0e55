package azure

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// typed is a store with the rule that a blob's type can't change. It holds one blob, at
// "key", and a source of copies.
type typed struct {
	mu     sync.Mutex
	kind   string // "" is no blob
	source string // type of the blob at "src"
	n      int    // of the ETag
	// conditionsFirst: conditions are looked at before the type.
	conditionsFirst bool
	// meanwhile runs when the blob was deleted.
	meanwhile func(s *typed)
}

func (s *typed) etag() string { return fmt.Sprintf(`"0x%d"`, s.n) }

func (s *typed) write(kind string) { s.kind, s.n = kind, s.n+1 }

func (s *typed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/src"):
		w.Header().Set("X-Ms-Blob-Type", s.source)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Etag", `"0x99"`)
	case r.Method == http.MethodPut:
		s.put(w, r)
	case s.kind == "":
		reject(404, "BlobNotFound")(w, r)
	case r.Method == http.MethodDelete:
		if want := r.Header.Get("If-Match"); want != s.etag() {
			reject(412, "ConditionNotMet")(w, r)
			return
		}
		s.kind = ""
		if s.meanwhile != nil {
			s.meanwhile(s)
		}
		w.WriteHeader(http.StatusAccepted)
	default:
		w.Header().Set("X-Ms-Blob-Type", s.kind)
		w.Header().Set("Etag", s.etag())
	}
}

func (s *typed) put(w http.ResponseWriter, r *http.Request) {
	refuse := func(byType bool) http.HandlerFunc {
		match := r.Header.Get("If-Match")
		switch {
		case byType && s.kind != "" && s.kind != "BlockBlob":
			return reject(409, "InvalidBlobType")
		case byType:
			return nil
		case r.Header.Get("If-None-Match") == "*" && s.kind != "":
			return reject(409, "BlobAlreadyExists")
		case match != "" && (s.kind == "" || match != s.etag()):
			return reject(412, "ConditionNotMet")
		}
		return nil
	}
	for _, byType := range []bool{!s.conditionsFirst, s.conditionsFirst} {
		if no := refuse(byType); no != nil {
			no(w, r)
			return
		}
	}
	query := r.URL.Query().Get("comp")
	from := r.Header.Get("X-Ms-Copy-Source")
	if from != "" && query == "" && s.source != "BlockBlob" {
		reject(409, "CannotVerifyCopySource")(w, r)
		return
	}
	if query != "block" {
		s.write("BlockBlob")
		w.Header().Set("Etag", s.etag())
	}
	if from != "" && query == "" {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// TestOtherTypes writes over append and page blobs.
func TestOtherTypes(t *testing.T) {
	put := func(t *testing.T, b *Bucket, c driver.Cond) error {
		_, err := b.Put(t.Context(), "key", section("hello"), driver.WriteOptions{Cond: c})
		return err
	}
	copies := func(o driver.WriteOptions) func(*testing.T, *Bucket, driver.Cond) error {
		return func(t *testing.T, b *Bucket, c driver.Cond) error {
			o.Cond = c
			_, err := b.copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key", Options: o})
			return err
		}
	}
	for name, write := range map[string]func(*testing.T, *Bucket, driver.Cond) error{
		"put": put, "copy": copies(driver.WriteOptions{}), "copy as": copies(driver.WriteOptions{ContentType: "text/plain"}),
	} {
		for _, tt := range []struct {
			name      string
			kind      string
			cond      driver.Cond
			meanwhile func(*typed)
			want      driver.Kind // Unknown is success
			left      string      // ETag of what is there then
		}{
			{"append", "AppendBlob", driver.Cond{}, nil, driver.Unknown, `"0x2"`},
			{"page", "PageBlob", driver.Cond{}, nil, driver.Unknown, `"0x2"`},
			{"overtaken", "AppendBlob", driver.Cond{}, func(s *typed) { s.write("BlockBlob") }, driver.Unknown, `"0x3"`},
			{"if absent", "AppendBlob", driver.Cond{IfAbsent: true}, nil, driver.Exists, `"0x1"`},
			{"if match", "AppendBlob", driver.Cond{IfMatch: `"0x1"`}, nil, driver.Unknown, `"0x2"`},
			{"another", "AppendBlob", driver.Cond{IfMatch: `"0x7"`}, nil, driver.Mismatch, `"0x1"`},
			{"if match, overtaken", "AppendBlob", driver.Cond{IfMatch: `"0x1"`}, func(s *typed) { s.write("BlockBlob") }, driver.Mismatch, `"0x2"`},
		} {
			for _, first := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", name, tt.name, first), func(t *testing.T) {
					s := &typed{kind: tt.kind, n: 1, source: "BlockBlob", conditionsFirst: first, meanwhile: tt.meanwhile}
					b, _ := fakeStore(t, s.ServeHTTP)
					err := write(t, b, tt.cond)
					if driver.KindOf(err) != tt.want || tt.want == driver.Unknown && err != nil || s.etag() != tt.left {
						t.Errorf("got %v and %s, want %v and %s", err, s.etag(), tt.want, tt.left)
					}
				})
			}
		}
	}
}

// TestBarredParts sends parts to a key with an append blob, which stays.
func TestBarredParts(t *testing.T) {
	s := &typed{kind: "AppendBlob", n: 1, source: "BlockBlob"}
	b, _ := fakeStore(t, s.ServeHTTP)
	up := newUpload(driver.WriteOptions{})
	u := driver.Upload{Key: "key", ID: up.id()}
	_, tag := up.newBlock(1)
	_, put := b.PutPart(t.Context(), u, 1, section("hello"))
	_, copied := b.copyPart(t.Context(), u, 1, driver.Source{Key: "src", Range: driver.Range{Len: 5}})
	_, completed := b.CompleteUpload(t.Context(), u, []driver.Part{{Number: 1, Size: 5, ETag: tag}}, driver.Cond{})
	for _, err := range []error{put, copied, completed} {
		if driver.KindOf(err) != driver.Exists || driver.OutcomeUnknown(err) {
			t.Errorf("got %v, want %v", err, driver.Exists)
		}
	}
	if obj, err := b.Stat(t.Context(), "key"); err != nil || !obj.DeleteFirst || obj.ETag != `"0x1"` {
		t.Errorf("got %+v, %v", obj, err)
	}
}

// TestCopyOfAppendBlob copies a source that Copy Blob From URL does not take.
func TestCopyOfAppendBlob(t *testing.T) {
	s := &typed{source: "AppendBlob"}
	b, f := fakeStore(t, s.ServeHTTP)
	if _, err := b.copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src", ETag: `"0x99"`}, Dst: "key"}); err != nil {
		t.Fatal(err)
	}
	sent := f.take()
	last := sent[len(sent)-1]
	wantHeader(t, last, map[string]string{"X-Ms-Blob-Content-Type": "text/plain"})
	if len(sent) != 4 || !strings.Contains(last.body, "<Uncommitted>") {
		t.Errorf("sent %v", sent)
	}
}

// TestOpenOfEmpty has reads be refused as out of range.
func TestOpenOfEmpty(t *testing.T) {
	for size, want := range map[string]driver.Kind{"0": driver.Unknown, "5": driver.OutOfRange} {
		b, _ := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodHead {
				reject(416, "InvalidRange")(w, r)
				return
			}
			w.Header().Set("Content-Length", size)
			w.Header().Set("Etag", `"0x9"`)
		})
		rd, err := b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{})
		if driver.KindOf(err) != want || err == nil && (rd.Object.ETag != `"0x9"` || rd.Object.Size != 0) {
			t.Errorf("%s bytes: got %+v, %v", size, rd, err)
		}
	}
}

// TestCopyOfEmpty has the first block of a copy be refused, for one reason or another.
func TestCopyOfEmpty(t *testing.T) {
	for _, tt := range []struct {
		size   string
		status int
		code   string
		copied bool
	}{
		{"0", 416, "InvalidRange", true},
		{"0", 400, "InvalidHeaderValue", true},
		{"5", 416, "InvalidRange", false},
		{"5", 400, "InvalidHeaderValue", false}, // a version of the protocol that is not known
	} {
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodHead:
				w.Header().Set("Content-Length", tt.size)
				w.Header().Set("Etag", `"0x9"`)
			case r.URL.Query().Get("comp") == "block":
				reject(tt.status, tt.code)(w, r)
			default:
				created(w, r)
			}
		})
		_, err := b.copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key", Options: driver.WriteOptions{ContentType: "text/plain"}})
		sent := f.take()
		if committed := strings.Contains(sent[len(sent)-1].uri, "comp=blocklist"); committed != tt.copied || (err == nil) != tt.copied {
			t.Errorf("%s bytes, %s: committed %t, %v", tt.size, tt.code, committed, err)
		}
	}
}
