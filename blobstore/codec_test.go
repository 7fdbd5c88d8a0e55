package blobstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

func sampleSession(parts int) *session {
	s := &session{
		ID: "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11", Repository: "library/app",
		Started: time.Date(2026, 3, 1, 12, 0, 0, 7, time.UTC),
		Hint:    digest.FromString("x"), Algorithms: []digest.Algorithm{digest.SHA256},
		Hashes: []hashState{{digest.SHA256, bytes.Repeat([]byte{7}, 108)}, {digest.SHA512, bytes.Repeat([]byte{8}, 204)}},
		Staged: driver.Upload{Key: "docker/registry/v2/x", ID: "upload-id"},
		Next:   parts + 3, Strays: []string{"a/data", "b/data"}, Writer: 1 << 63,
		Parts: []driver.Part{},
	}
	for i := range parts {
		etag := fmt.Sprintf(`"%032x"`, i)
		if i%3 == 1 {
			etag = fmt.Sprintf("plain-%d", i)
		}
		s.Parts = append(s.Parts, driver.Part{Number: i + 1, Size: 8 << 20, ETag: etag})
	}
	return s
}

func TestSessionRoundTrip(t *testing.T) {
	for _, parts := range []int{0, 1, 2, 10_000} {
		for _, tail := range [][]byte{nil, []byte("tail"), bytes.Repeat([]byte("x"), 100_000)} {
			want := sampleSession(parts)
			head, err := encodeSession(want, tail)
			if err != nil {
				t.Fatal(err)
			}
			r := bytes.NewReader(append(head, tail...))
			got, err := decodeSession(r, r.Size())
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, got.Tail)
			if err := got.readTail(r, p); err != nil || !bytes.Equal(p, tail) {
				t.Fatalf("tail differs: %v", err)
			}
			want.Tail = int64(len(tail))
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(session{}), cmpopts.IgnoreFields(session{}, "tailSum")); diff != "" {
				t.Errorf("%d parts, tail of %d (-want +got):\n%s", parts, len(tail), diff)
			}
			if parts == 10_000 && len(head) > 300<<10 {
				t.Errorf("a session of 10,000 parts takes %d bytes", len(head))
			}
		}
	}
}

// TestSessionDamage flips every bit of a session, and cuts it at every length.
func TestSessionDamage(t *testing.T) {
	tail := []byte("0123456789")
	head, err := encodeSession(sampleSession(3), tail)
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.Concat(head, tail)
	read := func(p []byte) error {
		r := bytes.NewReader(p)
		s, err := decodeSession(r, r.Size())
		if err != nil {
			return err
		}
		return s.readTail(r, make([]byte, s.Tail))
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for bit := range 8 {
			p := bytes.Clone(whole)
			p[i] ^= 1 << bit
			if err := read(p); !errors.Is(err, driver.Corrupt) && !errors.Is(err, ErrNewerSession) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
		if err := read(whole[:i]); !errors.Is(err, driver.Corrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

func TestSessionNewer(t *testing.T) {
	head, err := encodeSession(sampleSession(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint32(head[len(sessionMagic):], sessionVersion+1)
	if _, err := decodeSession(bytes.NewReader(head), int64(len(head))); !errors.Is(err, ErrNewerSession) {
		t.Errorf("err = %v, want ErrNewerSession", err)
	}
}

func FuzzDecodeSession(f *testing.F) {
	for _, parts := range []int{0, 1, 5} {
		head, err := encodeSession(sampleSession(parts), []byte("tail"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(head, "tail"...))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		r := bytes.NewReader(p)
		s, err := decodeSession(r, r.Size())
		if err != nil {
			return
		}
		if s.Offset() < 0 || s.Tail > int64(len(p)) {
			t.Fatalf("offset %d, tail %d from %d bytes", s.Offset(), s.Tail, len(p))
		}
		tail := make([]byte, s.Tail)
		if s.readTail(r, tail) != nil {
			return
		}
		head, err := encodeSession(s, tail)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeSession(bytes.NewReader(append(head, tail...)), int64(len(head)+len(tail))); err != nil || again.Offset() != s.Offset() {
			t.Fatalf("encoded again it does not decode: %v", err)
		}
	})
}
