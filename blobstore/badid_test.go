package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// onlyState is the key of the newest state in the bucket.
func onlyState(t testing.TB, b driver.Bucket) (key string) {
	t.Helper()
	for _, k := range keys(t, b) {
		if strings.Contains(k, "/s/") {
			key = k
		}
	}
	if key == "" {
		t.Fatal("there is no state")
	}
	return key
}

// TestBadID resumes by ids that are none. Each is unknown, after at most one read, or after
// a look at link and blob where a PUT names a digest. Nothing is written.
func TestBadID(t *testing.T) {
	b := newBucket(t)
	s := newStore(t, b)
	repo := newRepository(t, s, "app")
	first := begin(t, repo)
	id := patch(t, repo, first, content(1, 5000))
	uuid, rest, _ := strings.Cut(id, ".")
	_, token, _ := strings.Cut(rest, ".")
	uuidOf, firstRest, _ := strings.Cut(first, ".")
	o := options()
	o.Secret = []byte("another")
	stranger := newRepository(t, newStoreWith(t, b, o), "app")
	strangers := begin(t, stranger)
	o.Secret = nil
	written := begin(t, newRepository(t, newStoreWith(t, b, o), "elsewhere"))
	for name, bad := range map[string]string{
		"nothing":                "",
		"dots":                   "..",
		"a path":                 "../../x",
		"a UUID":                 "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11",
		"a URN":                  "urn:uuid:0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11",
		"the UUID alone":         uuid,
		"without token":          uuid + ".5000.",
		"truncated":              id[:len(id)-1],
		"longer":                 id + "a",
		"upper case":             strings.ToUpper(id),
		"changed offset":         uuid + ".4999." + token,
		"offset 0":               uuid + ".0." + token,
		"negative offset":        uuid + ".-1." + token,
		"zeroes before":          uuid + ".05000." + token,
		"a huge offset":          uuid + ".99999999999999999999." + token,
		"another token":          uuid + ".5000." + strings.Repeat("b", len(token)),
		"a path in the token":    uuid + ".5000." + strings.Repeat("/", len(token)),
		"first, truncated":       first[:len(first)-1],
		"first, changed MAC":     first[:len(first)-1] + map[bool]string{true: "b", false: "a"}[strings.HasSuffix(first, "a")],
		"first, changed offset":  strings.Replace(first, ".0.", ".1.", 1),
		"first, of another UUID": "1" + uuidOf[1:] + "." + firstRest,
		"of another secret":      strangers,
		"another repository's":   written,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete, http.MethodPut} {
			wantUnknown(t, b, name, method, "app", bad)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete, http.MethodPut} {
		wantUnknown(t, b, "of this repository", method, "other", id)
		wantUnknown(t, b, "of this repository, first", method, "other", first)
	}
	if next, size, err := status(repo, id); err != nil || size != 5000 || next != id {
		t.Errorf("the upload itself: %s, %d bytes, %v", next, size, err)
	}
}

// wantUnknown resumes an upload on a replica that knows nothing.
func wantUnknown(t *testing.T, b driver.Bucket, name, method, repository, id string) {
	t.Helper()
	var reads, others atomic.Int64
	counted := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op.Changes() {
			others.Add(1)
		} else {
			reads.Add(1)
		}
		return next(ctx)
	})
	target, most := "/", int64(1)
	if method == http.MethodPut {
		target, most = "/?digest="+digest.FromString("absent").String(), 3
	}
	_, err := newRepository(t, newStore(t, counted), repository).Resume(request(method, target, 0), id)
	if err != distribution.ErrBlobUploadUnknown {
		t.Errorf("%s: %s: %v, want unknown", name, method, err)
	}
	if reads.Load() > most || others.Load() > 0 {
		t.Errorf("%s: %s: %d reads and %d changes, want at most %d and none", name, method, reads.Load(), others.Load(), most)
	}
}

// TestBadState damages the state of an upload. It is told from one that is unknown, and
// nothing is published or removed.
func TestBadState(t *testing.T) {
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "app")
	p := content(2, 1500)
	id := patch(t, repo, begin(t, repo), p)
	key := onlyState(t, b)
	whole := read(t, b, key)
	newer := bytes.Clone(whole)
	newer[bytes.IndexByte(newer, '\n')+1]++
	body := bytes.Clone(whole)
	body[len(body)-1] ^= 1
	header := bytes.Clone(whole)
	header[100] ^= 1
	for name, tt := range map[string]struct {
		object []byte
		want   error
		late   bool // the body is read when it is needed
	}{
		"nothing":    {nil, blobstore.ErrBadState, false},
		"other":      {[]byte("what is this?"), blobstore.ErrBadState, false},
		"header":     {header, blobstore.ErrBadState, false},
		"cut short":  {whole[:len(whole)-1], blobstore.ErrBadState, false},
		"too long":   {append(bytes.Clone(whole), 'x'), blobstore.ErrBadState, false},
		"newer":      {newer, blobstore.ErrNewerState, false},
		"other body": {body, blobstore.ErrBadState, true},
	} {
		put(t, b, key, tt.object)
		repo := newRepository(t, newStore(t, b), "app")
		if _, err := repo.Resume(request(http.MethodPatch, "/", 0), id); !tt.late && !errors.Is(err, tt.want) || tt.late && err != nil {
			t.Errorf("%s: Resume: %v, want %v", name, err, tt.want)
		}
		if err := sendPUT(repo, id, digest.FromBytes(p), nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: PUT: %v, want %v", name, err, tt.want)
		}
		if _, err := b.Stat(t.Context(), blobKey(digest.FromBytes(p))); !errors.Is(err, driver.NotFound) {
			t.Errorf("%s: there is a blob (%v)", name, err)
		}
	}
	put(t, b, key, whole)
	repo = newRepository(t, newStore(t, b), "app")
	if err := sendPUT(repo, id, digest.FromBytes(p), nil); err != nil {
		t.Errorf("once it is whole again: %v", err)
	}
}

// TestForeignState has a state name objects outside of its upload: it is refused.
func TestForeignState(t *testing.T) {
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "app")
	p := content(3, 9000)
	one := patch(t, repo, begin(t, repo), p)
	state := onlyState(t, b)
	object := read(t, b, state)
	// The state is moved to another upload's folder.
	uuid, rest, _ := strings.Cut(one, ".")
	other := fmt.Sprintf("%c%s", map[bool]rune{true: '1', false: '0'}[uuid[0] == '0'], uuid[1:])
	put(t, b, strings.Replace(state, uuid, other, 1), object)
	if _, err := newRepository(t, newStore(t, b), "app").Resume(request(http.MethodPatch, "/", 0), other+"."+rest); !errors.Is(err, blobstore.ErrBadState) {
		t.Errorf("Resume: %v, want %v", err, blobstore.ErrBadState)
	}
}
