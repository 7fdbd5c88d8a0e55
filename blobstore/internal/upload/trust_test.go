package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// flippedByte is p with a byte changed.
func flippedByte(p []byte) []byte {
	p = slices.Clone(p)
	p[len(p)/2] ^= 1
	return p
}

// TestReplacesWrongChecksum publishes where other bytes of the same size lie. The last
// request comes to a replica that knows the upload by its state alone.
func TestReplacesWrongChecksum(t *testing.T) {
	for _, store := range []string{"minio", "gcs"} {
		for _, shape := range shapes {
			for _, known := range []bool{false, true} { // the store has the SHA-256 of what is there
				if shape.name == "no bytes" {
					continue // there are no others of that size
				}
				t.Run(fmt.Sprintf("%s/%s/%t", store, shape.name, known), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						one, b, _ := on(t, store, pass)
						var log bytes.Buffer
						o := testOptions(memory.New(1 << 20))
						o.Log = slog.New(slog.NewTextHandler(&log, nil))
						two := closed(t, New(b, o))
						id, content, rest := shape.send(t, one, post(t, one))
						d, bad := digest.FromBytes(content), flippedByte(content)
						var w driver.WriteOptions
						if sum := sha256.Sum256(bad); known {
							w.SHA256 = sum[:]
						}
						key := one.layout.Blob(d)
						if _, err := b.Put(t.Context(), key, section(string(bad)), w); err != nil {
							t.Fatal(err)
						}
						err := put(t, two, id, d, rest)
						// A body that is not sent, as the digest is there, is to be sent again. A
						// SHA-256 tells beforehand that it has to be sent.
						again := shape.name == "one large PUT" && !known
						if again != errors.Is(err, driver.Unavailable) || !again && err != nil {
							t.Fatalf("PUT: %v, to be sent again: %t", err, again)
						}
						if again {
							if err := put(t, two, id, d, rest); err != nil {
								t.Fatalf("PUT again: %v", err)
							}
						}
						wantBlob(t, b, content)
						// The log tells of what a conditional write has met.
						if text := log.String(); len(shape.patches) == 0 && (!strings.Contains(text, "wrong size, checksum or encoding") || !strings.Contains(text, d.Encoded())) {
							t.Errorf("log: %s", text)
						}
					})
				})
			}
		}
	}
}

// TestKeepsRightChecksum sends nothing of large content that is there, whatever the store
// knows of it.
func TestKeepsRightChecksum(t *testing.T) {
	for store := range mem.Imitations() {
		for _, known := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				writes := 0
				e, b, _ := on(t, store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					if c.Body != nil && c.Body.Size() > 1000 {
						writes++
					}
					return next(ctx)
				})
				content := bytesOf(3*testPart, 1)
				d := digest.FromBytes(content)
				var w driver.WriteOptions
				if sum := sha256.Sum256(content); known {
					w.SHA256 = sum[:]
				}
				if _, err := b.Put(t.Context(), e.layout.Blob(d), section(string(content)), w); err != nil {
					t.Fatal(err)
				}
				if err := put(t, e, post(t, e), d, content); err != nil || writes > 0 {
					t.Errorf("%s: %v, %d writes", store, err, writes)
				}
				wantBlob(t, b, content)
			})
		}
	}
}

// TestPushReplacesWrongChecksum does the same by a Push and a PutContent.
func TestPushReplacesWrongChecksum(t *testing.T) {
	for _, store := range []string{"minio", "gcs"} {
		for _, size := range []int{100, 3 * testPart} {
			for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
				t.Run(fmt.Sprintf("%s/%d/%s", store, size, alg), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						e, b, _ := on(t, store, pass)
						content := bytesOf(size, 1)
						d := alg.FromBytes(content)
						plant := func() {
							if _, err := b.Put(t.Context(), e.layout.Blob(d), section(string(flippedByte(content))), driver.WriteOptions{}); err != nil {
								t.Fatal(err)
							}
						}
						check := func(what string) {
							t.Helper()
							if _, got, err := e.readRange(t.Context(), e.layout.Blob(d), driver.Range{}, ""); err != nil || !bytes.Equal(got, content) {
								t.Errorf("after %s the blob has other bytes (%v)", what, err)
							}
						}
						plant()
						push := func() error {
							_, err := e.Push(t.Context(), Push{Repository: "repo", Digest: d, Size: int64(size), Content: bytes.NewReader(content)})
							return err
						}
						err := push()
						if large := size > testPart; large != errors.Is(err, driver.Unavailable) || !large && err != nil {
							t.Fatalf("Push: %v", err)
						} else if large {
							err = push()
						}
						if err != nil {
							t.Fatal(err)
						}
						check("Push")
						plant()
						if err := e.PutContent(t.Context(), "repo", d, content); err != nil {
							t.Fatal(err)
						}
						check("PutContent")
					})
				})
			}
		}
	}
}

// TestRepeatedPutWrongChecksum repeats a PUT whose blob was damaged since. The upload is
// gone, so that nothing but the digest is known of the content: where the store knows the
// SHA-256 of what is there, the PUT is not answered with success.
func TestRepeatedPutWrongChecksum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, b, _ := on(t, "minio", pass)
		p := bytesOf(100, 1)
		id := patch(t, e, post(t, e), p)
		d := digest.FromBytes(p)
		if err := put(t, e, id, d, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		bad := flippedByte(p)
		sum := sha256.Sum256(bad)
		if _, err := b.Put(t.Context(), e.layout.Blob(d), section(string(bad)), driver.WriteOptions{SHA256: sum[:]}); err != nil {
			t.Fatal(err)
		}
		if err := put(t, e, id, d, nil); !errors.Is(err, ErrUnknown) {
			t.Errorf("PUT again: %v, want %v", err, ErrUnknown)
		}
	})
}

// TestGoneWrongChecksum commits an upload whose pieces are gone, where other bytes of its size
// lie under the digest: nobody has published it.
func TestGoneWrongChecksum(t *testing.T) {
	for _, store := range []string{"minio", "gcs"} {
		synctest.Test(t, func(t *testing.T) {
			e, b, _ := on(t, store, pass)
			content := bytesOf(3*testPart, 1)
			d := digest.FromBytes(content)
			id := patch(t, e, post(t, e), content)
			for entry, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: e.layout.Uploads()}) {
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(entry.Key, "/"+piecesDir) {
					if err := b.Delete(t.Context(), entry.Key, driver.DeleteOptions{}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := b.Put(t.Context(), e.layout.Blob(d), section(string(flippedByte(content))), driver.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := put(t, e, id, d, nil); !errors.Is(err, ErrGone) {
				t.Errorf("%s: PUT: %v, want %v", store, err, ErrGone)
			}
		})
	}
}

// TestStateWithoutChecksum continues an upload whose state an older version has written: its
// checksum is not known, and is not made up.
func TestStateWithoutChecksum(t *testing.T) {
	hs := newHashes(digest.SHA256).withCRC32C()
	_, _ = hs.Write([]byte("some bytes"))
	states, err := hs.states()
	if err != nil {
		t.Fatal(err)
	}
	h := header{Repository: "repo", Algorithms: hs.algorithms(), hashStates: states}
	text, err := json.Marshal(h)
	if err != nil || !bytes.Contains(text, []byte(`"crc32c":`)) {
		t.Fatalf("%s, %v", text, err)
	}
	states.CRC32C = nil
	old, err := resumeHashes(states)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = old.Write([]byte("more"))
	if old.crc32c != nil {
		t.Errorf("CRC-32C %08x is made up", *old.crc32c)
	}
}

// TestDistrusted remembers a bounded number of blobs.
func TestDistrusted(t *testing.T) {
	var d distrusted
	for i := range 2 * maxDistrusted {
		obj := driver.Object{Key: fmt.Sprint(i), ETag: "old"}
		if d.has(obj) {
			t.Errorf("%s is not known yet", obj.Key)
		}
		d.add(obj)
		if !d.has(obj) {
			t.Errorf("%s is forgotten at once", obj.Key)
		}
		if obj.ETag = "new"; d.has(obj) {
			t.Errorf("%s is taken for what it has replaced", obj.Key)
		}
	}
	if len(d.etags) > maxDistrusted {
		t.Errorf("%d are remembered", len(d.etags))
	}
}
