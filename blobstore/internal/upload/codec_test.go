package upload

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// sampleHeader is that of a state with so many pieces.
func sampleHeader(t testing.TB, pieces int) header {
	t.Helper()
	hs := newHashes(digest.SHA256, digest.SHA512).withCRC32C()
	_, _ = hs.Write([]byte("content"))
	states, err := hs.states()
	if err != nil {
		t.Fatal(err)
	}
	h := header{
		Repository: "library/app", Started: time.Date(2026, 3, 1, 12, 0, 0, 7, time.UTC), Hint: digest.FromString("x"),
		Algorithms: hs.algorithms(), hashStates: states, Body: 4, BodyCRC: 1 << 31,
		Refs:      []ref{{Key: "f/s/1", Off: 100, Size: 10, CRC: 7}, {Key: "f/s/2", Size: 1, ETag: `"x"`}},
		Ancestors: []driver.ObjectRef{{Key: "f/s/1", Version: "v"}},
	}
	for i := range pieces {
		h.Pieces = append(h.Pieces, piece{Key: fmt.Sprintf("f/p/%d", i), Size: 8 << 20, ETag: fmt.Sprintf(`"%032x"`, i), Version: "1"})
	}
	h.Offset = h.sum()
	return h
}

func TestRoundTrip(t *testing.T) {
	for _, pieces := range []int{0, 1, 10_000} {
		want := sampleHeader(t, pieces)
		head, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(append(head, "body"...))
		got, off, err := decode(r)
		if err != nil || off != int64(len(head)) {
			t.Fatalf("%d pieces: body at %d, want %d: %v", pieces, off, len(head), err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(header{}, piece{}, ref{})); diff != "" {
			t.Errorf("%d pieces (-want +got):\n%s", pieces, diff)
		}
	}
}

// TestDamage flips every bit of a header, and cuts it at every length.
func TestDamage(t *testing.T) {
	h := sampleHeader(t, 3)
	whole, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for bit := range 8 {
			p := slices.Clone(whole)
			p[i] ^= 1 << bit
			if _, _, err := decode(bytes.NewReader(p)); !errors.Is(err, ErrBadState) && !errors.Is(err, ErrNewerState) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
		if _, _, err := decode(bytes.NewReader(whole[:i])); !errors.Is(err, ErrBadState) || !errors.Is(err, driver.Corrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// TestContradictions decodes headers whose checksum is right and whose fields are not.
func TestContradictions(t *testing.T) {
	for name, edit := range map[string]func(*header){
		"offset":             func(h *header) { h.Offset++ },
		"negative offset":    func(h *header) { h.Offset, h.Pieces, h.Refs, h.Body = -1, nil, nil, -1 },
		"negative body":      func(h *header) { h.Body -= 20; h.Offset -= 20 },
		"empty piece":        func(h *header) { h.Offset -= h.Pieces[0].Size; h.Pieces[0].Size = 0 },
		"piece without key":  func(h *header) { h.Pieces[0].Key = "" },
		"reference outside":  func(h *header) { h.Refs[0].Key = "../x" },
		"negative reference": func(h *header) { h.Refs[0].Off = -1 },
		"no hashes":          func(h *header) { h.Hashes, h.Algorithms = nil, nil },
		"hash missing":       func(h *header) { h.Hashes = h.Hashes[:1] },
		"hashes swapped":     func(h *header) { slices.Reverse(h.Hashes) },
		"unknown algorithm":  func(h *header) { h.Algorithms[0], h.Hashes[0].Algorithm = "md5", "md5" },
		"damaged hash":       func(h *header) { h.Hashes[0].State = []byte("x") },
		"hint":               func(h *header) { h.Hint = "sha256:x" },
	} {
		h := sampleHeader(t, 2)
		edit(&h)
		p, err := h.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := decode(bytes.NewReader(p)); !errors.Is(err, ErrBadState) {
			t.Errorf("%s: %v, want %v", name, err, ErrBadState)
		}
	}
}

func TestNewerState(t *testing.T) {
	h := sampleHeader(t, 0)
	p, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	p[len(magic)] = formatVersion + 1
	if _, _, err := decode(bytes.NewReader(p)); !errors.Is(err, ErrNewerState) {
		t.Errorf("%v, want %v", err, ErrNewerState)
	}
}

// FuzzDecode reads any bytes in the place of a state. A state that is accepted does not contradict
// itself, and is the same once it is encoded again.
func FuzzDecode(f *testing.F) {
	for _, pieces := range []int{0, 1, 5} {
		h := sampleHeader(f, pieces)
		p, err := h.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(p, "body"...))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, off, err := decode(bytes.NewReader(p))
		if err != nil {
			return
		}
		if off > int64(len(p)) || h.Offset < 0 || h.Offset != h.sum() {
			t.Fatalf("body at %d of %d bytes, offset %d of %d bytes", off, len(p), h.Offset, h.sum())
		}
		if _, err := resumeHashes(h.hashStates); err != nil {
			t.Fatal(err)
		}
		again, err := h.encode()
		if err != nil {
			t.Fatal(err)
		}
		if h2, _, err := decode(bytes.NewReader(again)); err != nil || h2.Offset != h.Offset || len(h2.Pieces) != len(h.Pieces) {
			t.Fatalf("encoded again it does not decode: %v", err)
		}
	})
}
