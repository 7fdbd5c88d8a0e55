package azure

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

func created(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Etag", `"0x1"`)
	w.Header().Set("Last-Modified", "Fri, 20 Nov 2026 10:00:00 GMT")
	w.WriteHeader(http.StatusCreated)
}

// wantHeader compares headers of a request; "" is a header that must be absent.
func wantHeader(t *testing.T, r request, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := r.header.Get(name); got != value {
			t.Errorf("%s %s: %s is %q, want %q", r.method, r.uri, name, got, value)
		}
	}
}

func TestPutOnTheWire(t *testing.T) {
	b, f := fakeStore(t, created, func(c *Config) { c.Prefix, c.Tier, c.EncryptionScope = "p", "Cool", "scope" })
	for _, tt := range []struct {
		o    driver.WriteOptions
		want map[string]string
	}{
		{driver.WriteOptions{Use: driver.UseBlob, Cond: driver.Cond{IfAbsent: true}}, map[string]string{"If-None-Match": "*", "If-Match": "", "X-Ms-Access-Tier": "Cool", "X-Ms-Blob-Content-Type": "application/octet-stream"}},
		{
			driver.WriteOptions{Cond: driver.Cond{IfMatch: `"0x9"`}, ContentType: "text/plain", Metadata: map[string]string{"size-bytes": "1", "9": "2"}},
			map[string]string{"If-Match": `"0x9"`, "If-None-Match": "", "X-Ms-Access-Tier": "", "X-Ms-Blob-Content-Type": "text/plain", "X-Ms-Meta-Size_bytes": "1", "X-Ms-Meta-_9": "2"},
		},
	} {
		obj, err := b.Put(t.Context(), "dir/a b+c%", section("hello"), tt.o)
		if err != nil || obj.ETag != `"0x1"` || obj.ModTime.IsZero() {
			t.Fatalf("Put: got %+v and %v", obj, err)
		}
		r := f.take()[0]
		sum := crc64.Checksum([]byte("hello"), azureCRC)
		little := []byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24), byte(sum >> 32), byte(sum >> 40), byte(sum >> 48), byte(sum >> 56)}
		wantHeader(t, r, tt.want)
		wantHeader(t, r, map[string]string{
			"X-Ms-Blob-Type": "BlockBlob", "X-Ms-Encryption-Scope": "scope",
			"X-Ms-Content-Crc64": base64.StdEncoding.EncodeToString(little), "Content-Length": "5",
		})
		if r.method != http.MethodPut || r.uri != "/account/container/p%2Fdir%2Fa%20b+c%25" || r.body != "hello" || !strings.HasPrefix(r.header.Get("Authorization"), "SharedKey account:") {
			t.Errorf("Put sent %v", r)
		}
	}
}

func TestMD5OnTheWire(t *testing.T) {
	b, f := fakeStore(t, created, func(c *Config) { c.Checksum = ChecksumMD5 })
	if _, err := b.Put(t.Context(), "key", section("hello"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantHeader(t, f.take()[0], map[string]string{"Content-Md5": "XUFAKrxLKna5cZ2REBfFkg==", "X-Ms-Content-Crc64": ""})
}

func TestUploadOnTheWire(t *testing.T) {
	b, f := fakeStore(t, created, func(c *Config) { c.Tier = "Cool" })
	o := driver.WriteOptions{ContentType: "text/plain", Metadata: map[string]string{"a-b": "1"}, Use: driver.UseBlob}
	u, err := b.CreateUpload(t.Context(), "key", o)
	if err != nil || len(f.take()) != 0 {
		t.Fatalf("CreateUpload: %v", err)
	}
	var parts []driver.Part
	for _, n := range []int{1, 2, 3} {
		p, err := b.PutPart(t.Context(), u, n, section("hello"))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	if _, err := b.CompleteUpload(t.Context(), u, parts, driver.Cond{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	sent := f.take()
	if len(sent) != 4 {
		t.Fatalf("%d requests, want 4", len(sent))
	}
	want := ""
	for _, r := range sent[:3] {
		_, id, _ := strings.Cut(r.uri, "blockid=")
		id, _, _ = strings.Cut(id, "&")
		id = strings.NewReplacer("%3D", "=", "%2B", "+", "%2F", "/").Replace(id)
		raw, err := base64.StdEncoding.DecodeString(id)
		if err != nil || len(raw) != 32 {
			t.Errorf("block id %q has %d bytes: %v", id, len(raw), err)
		}
		want += "<Uncommitted>" + id + "</Uncommitted>"
	}
	list := sent[3]
	if !strings.Contains(list.body, "<BlockList>"+want+"</BlockList>") || list.header.Get("Content-Length") != fmt.Sprint(len(list.body)) {
		t.Errorf("block list %s, want %s", list.body, want)
	}
	wantHeader(t, list, map[string]string{
		"If-None-Match": "*", "X-Ms-Blob-Content-Type": "text/plain", "X-Ms-Meta-A_b": "1",
	})
}

// A list that is refused leads to a look at what is there.
func TestRefusedList(t *testing.T) {
	up := newUpload(driver.WriteOptions{})
	mine, tag := up.newBlock(2)
	foreign, _ := newUpload(driver.WriteOptions{}).newBlock(2)
	for _, tt := range []struct {
		name  string
		there string
		want  driver.Kind
	}{{"a part of it", mine, driver.Mismatch}, {"only another's", foreign, driver.NotFound}, {"nothing", "", driver.NotFound}} {
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				reject(400, "InvalidBlockList")(w, r)
				return
			}
			if tt.there == "" {
				reject(404, "BlobNotFound")(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/xml")
			_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><BlockList><UncommittedBlocks><Block><Name>%s</Name><Size>5</Size></Block></UncommittedBlocks></BlockList>`, tt.there)
		})
		_, err := b.CompleteUpload(t.Context(), driver.Upload{Key: "key", ID: up.id()}, []driver.Part{{Number: 1, Size: 5, ETag: tag}}, driver.Cond{})
		if driver.KindOf(err) != tt.want || len(f.take()) != 2 {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestUploadIDs(t *testing.T) {
	o := driver.WriteOptions{ContentType: "text/plain", Metadata: map[string]string{"k": "v"}}
	u := newUpload(o)
	got, err := parseUpload(u.id())
	if err != nil || got.name != u.name || got.attrs.ContentType != o.ContentType || got.attrs.Metadata["k"] != "v" {
		t.Errorf("got %+v and %v, want %+v", got, err, u)
	}
	for _, bad := range []string{"", "none", uncommitted, u.id() + "x", "AAAA." + u.id()} {
		if _, err := parseUpload(bad); !errors.Is(err, driver.NotFound) {
			t.Errorf("parseUpload(%q): got %v, want %v", bad, err, driver.NotFound)
		}
	}
}

func TestMetadataNames(t *testing.T) {
	seen := map[string]string{}
	for _, k := range []string{"a", "a-b", "-a", "--a", "1a", "-1a", "1", "-", "a-", "a--b", "class"} {
		name := encodeName(k)
		if other, dup := seen[name]; dup {
			t.Errorf("%q and %q are both %q", k, other, name)
		}
		seen[name] = k
		if name[0] >= '0' && name[0] <= '9' || strings.Contains(name, "-") {
			t.Errorf("%q is %q, no identifier", k, name)
		}
		// The headers' names come back in another case.
		if got := decodeName(http.CanonicalHeaderKey(name)); got != k {
			t.Errorf("%q comes back as %q", k, got)
		}
	}
}

// Real listings have uncommitted blobs without times, ETags and types.
func TestUncommittedListed(t *testing.T) {
	b, f := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="x" ContainerName="container"><Blobs>`+
			`<Blob><Name>p/empty</Name><Properties><Last-Modified>Fri, 20 Nov 2026 10:00:00 GMT</Last-Modified><Etag>0x1</Etag><Content-Length>0</Content-Length><Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>`+
			`<Blob><Name>p/under-way</Name><Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`+
			`</Blobs><NextMarker>m 1</NextMarker></EnumerationResults>`)
	}, func(c *Config) { c.Prefix = "p" })
	page, err := b.UploadsPage(t.Context(), driver.ListRequest{StartAfter: "d", Limit: 7})
	if err != nil || len(page.Items) != 1 || page.Items[0].Key != "under-way" || page.Items[0].ID == "" || page.Next != "m 1" {
		t.Errorf("got %+v and %v", page, err)
	}
	uri := f.take()[0].uri
	for _, want := range []string{"comp=list", "include=uncommittedblobs", "maxresults=7", "prefix=p%2F", "startFrom=p%2Fd"} {
		if !strings.Contains(uri, want) {
			t.Errorf("%s lacks %s", uri, want)
		}
	}
}

func accepted(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Etag", `"0x1"`)
	w.Header().Set("X-Ms-Copy-Status", "success")
	w.WriteHeader(http.StatusAccepted)
}

func TestCopySource(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*Config)
		want string // in the source's query
	}{
		"key":       {func(*Config) {}, "sp=r&"},
		"signature": {withSAS, testSAS},
	} {
		b, f := fakeStore(t, accepted, tt.edit)
		obj, err := b.copyObject(t.Context(), driver.CopyRequest{
			Src: driver.Source{Key: "dir/a+b", ETag: `"0x9"`}, Dst: "key",
			Options: driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}},
		})
		if err != nil || obj.ETag != `"0x1"` || obj.Size != -1 {
			t.Fatalf("%s: got %+v and %v", name, obj, err)
		}
		r := f.take()[0]
		src := r.header.Get("X-Ms-Copy-Source")
		if !strings.HasPrefix(src, b.endpoint+"/container/dir/a%2Bb?") || !strings.Contains(src, tt.want) {
			t.Errorf("%s: source is %s", name, src)
		}
		// Without this the store would copy later, and show an empty object until then.
		wantHeader(t, r, map[string]string{"X-Ms-Requires-Sync": "true", "X-Ms-Source-If-Match": `"0x9"`, "If-None-Match": "*"})
	}
}

// A store may answer before it has read the body; the caller uses it again.
func TestBodyReleased(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 8*mib)
	var over bool
	b, _ := fakeStore(t, nil)
	b.transport.DialContext = nil // the stall connection holds errors back
	ctx, cancel := context.WithCancel(t.Context())
	body := readerAt(func(p []byte, off int64) (int, error) {
		if over {
			t.Error("the body was read after the call")
		}
		if off > 4*mib {
			cancel()
		}
		return bytes.NewReader(data).ReadAt(p, off)
	})
	b.checksum = ChecksumNone
	_, err := b.Put(ctx, "key", io.NewSectionReader(body, 0, int64(len(data))), driver.WriteOptions{})
	over = true
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type readerAt func(p []byte, off int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// TestTier writes objects for each use: only blobs go to the tier, by whatever request.
func TestTier(t *testing.T) {
	for use, want := range map[driver.Use]string{driver.UseBlob: "Cool", driver.UsePiece: "", driver.UseOther: ""} {
		const key = "key"
		b, f := fakeStore(t, created, func(c *Config) { c.Tier = "Cool" })
		up := newUpload(driver.WriteOptions{Use: use})
		_, tag := up.newBlock(1)
		_, _ = b.Put(t.Context(), key, section("hello"), driver.WriteOptions{Use: use})
		_, _ = b.CompleteUpload(t.Context(), driver.Upload{Key: key, ID: up.id()}, []driver.Part{{Number: 1, Size: 5, ETag: tag}}, driver.Cond{})
		_, _ = b.copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: key, Options: driver.WriteOptions{Use: use}})
		_, _ = b.copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: key, Options: driver.WriteOptions{Use: use, ContentType: "text/plain"}})
		sent := f.take()
		for _, i := range []int{0, 1, 2, 4} {
			if len(sent) != 5 {
				t.Fatalf("%d requests", len(sent))
			}
			wantHeader(t, sent[i], map[string]string{"X-Ms-Access-Tier": want})
		}
	}
}
