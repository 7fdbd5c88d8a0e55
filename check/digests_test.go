package check_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/meter"
)

// TestResume interrupts checks after some bytes, and goes on from what was saved.
// No blob is read again but those that are bad, and that which was interrupted. The
// last check finds what one finds that was not interrupted.
func TestResume(t *testing.T) {
	for _, concurrency := range []int{1, 4} {
		b := newBucket(t)
		p := populate(b)
		bad := []digest.Digest{p.old.layers[0].Digest, p.arm.config.Digest, p.app.layers[1].Digest}
		for _, d := range bad {
			b.put(at.Blob(d), "other")
		}
		whole, want := run(t, b, check.Options{Digest: true})

		var state check.State
		var compared int64
		rounds := 1
		for ; ; rounds++ {
			if rounds > 300 {
				t.Fatalf("does not get on: %+v", state)
			}
			ctx, cancel := context.WithCancel(t.Context())
			before := state.Bytes
			var found []check.Finding
			s, err := check.Run(ctx, b, check.Options{
				OlderThan: 1, Concurrency: concurrency, Digest: true, Resume: state,
				OnFinding: func(f check.Finding) { found = append(found, f) },
				Progress: func(now check.Progress) {
					// Ever later, since of several at a time the first may always be the last.
					if now.Phase == check.Digests && now.Done-before > int64(60+rounds) {
						cancel()
					}
				},
				Save: func(s check.State) error { state = s; return nil },
			})
			cancel()
			compared += s.Compared
			if err == nil {
				if diff := gocmp.Diff(want, sorted(found)); diff != "" {
					t.Errorf("found (-want +got):\n%s", diff)
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		// Each round reads what is bad once more, and those that it ended in: one, or all
		// that were compared while one that comes before them was not.
		most := whole.Compared + int64(rounds*(len(bad)+1))
		if rounds < 3 || concurrency == 1 && compared > most || state.Bytes != whole.ComparedBytes || len(state.Bad) != len(bad) {
			t.Errorf("concurrency %d: %d rounds compared %d, want %d at most; %+v, want %d bytes", concurrency, rounds, compared, most, state, whole.ComparedBytes)
		}

		// What was bad is well by now, and nothing else is read.
		for _, d := range bad {
			b.put(at.Blob(d), map[digest.Digest]string{bad[0]: "old layer 1", bad[1]: "arm config", bad[2]: "app layer 2"}[d])
		}
		s, found := run(t, b, check.Options{Digest: true, Resume: state, Save: func(s check.State) error { state = s; return nil }})
		if len(found) > 0 || s.Compared != int64(len(bad)) || len(state.Bad) > 0 {
			t.Errorf("concurrency %d: in the end found %+v, %+v, %+v", concurrency, found, s, state)
		}
	}
}

// TestSaveFails ends the check: it could not be resumed.
func TestSaveFails(t *testing.T) {
	b := newBucket(t)
	populate(b)
	full := errors.New("disk is full")
	_, err := check.Run(t.Context(), b, check.Options{Digest: true, Save: func(check.State) error { return full }})
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

// TestBrokenReads gets over connections that break, and compares the right bytes.
func TestBrokenReads(t *testing.T) {
	b := newBucket(t)
	large := strings.Repeat("blobdock", 100_000)
	b.blob("app", "", large)
	var opens atomic.Int64
	broken := fault.Wrap(meter.Wrap(b, func(e meter.Event) {
		if e.Op == driver.OpOpen && strings.HasSuffix(e.Key, "/data") {
			opens.Add(1)
		}
	}), fault.Script{
		{Op: driver.OpOpen, Key: "*/data", Where: fault.MidBody, Offset: 300_000, Nth: 1},
		{Op: driver.OpOpen, Key: "*/data", Where: fault.MidBody, Offset: 1, Nth: 2},
		{Op: driver.OpOpen, Key: "*/data", Where: fault.MidBody, Nth: 3},
		{Op: driver.OpOpen, Key: "*/data", Where: fault.MidBody, Nth: 4},
	})
	s, found := run(t, broken, check.Options{Digest: true})
	if len(found) > 0 || s.Compared != 1 || s.ComparedBytes != int64(len(large)) || opens.Load() != 5 {
		t.Errorf("found %+v, %+v in %d reads", found, s, opens.Load())
	}
}

// TestArchived finds blobs that the store has put where they can't be read.
func TestArchived(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	archive := fault.Wrap(b, fault.Script{
		{Op: driver.OpOpen, Key: at.Blob(p.arm.layers[0].Digest), Kind: driver.Unsupported},
		{Op: driver.OpOpen, Key: at.Blob(p.old.manifest.Digest), Kind: driver.Unsupported},
	})
	_, found := run(t, archive, check.Options{Digest: true})
	want := sorted([]check.Finding{
		{Kind: check.BlobArchived, Key: at.Blob(p.arm.layers[0].Digest), Digest: p.arm.layers[0].Digest, Detail: "restore it"},
		{Kind: check.ReferenceBroken, Key: at.Blob(p.arm.layers[0].Digest), Repository: "multi", Digest: p.arm.layers[0].Digest, Manifest: p.arm.manifest.Digest, Detail: "it is in an archive"},
		{Kind: check.BlobArchived, Key: at.Blob(p.old.manifest.Digest), Repository: "team/app", Digest: p.old.manifest.Digest, Detail: "restore it"},
	})
	if diff := gocmp.Diff(want, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

// encodes has another tool's Content-Encoding at a key, which a listing tells or a read.
type encodes struct {
	driver.Bucket
	key    string
	listed bool
}

func (b encodes) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	page, err := b.Bucket.ListPage(ctx, q)
	for i, e := range page.Items {
		if b.listed && e.Key == b.key {
			page.Items[i].ContentEncoding = "gzip"
		}
	}
	return page, err
}

func (b encodes) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	rd, err := b.Bucket.Open(ctx, key, r, o)
	if err == nil && key == b.key {
		rd.Object.ContentEncoding = "gzip"
	}
	return rd, err
}

// TestEncoded finds a blob with a Content-Encoding once, whatever tells of it.
func TestEncoded(t *testing.T) {
	for _, tt := range []struct{ listed, compared, want bool }{{true, false, true}, {true, true, true}, {false, true, true}, {false, false, false}} {
		b := newBucket(t)
		d := populate(b).arm.layers[0].Digest
		s, found := run(t, encodes{b, at.Blob(d), tt.listed}, check.Options{Digest: tt.compared})
		var want []check.Finding
		if tt.want {
			want = []check.Finding{{Kind: check.BlobEncoded, Key: at.Blob(d), Digest: d, Detail: "gzip; push it again"}}
		}
		if diff := gocmp.Diff(want, found); diff != "" || s.Damaged != 0 {
			t.Errorf("%+v: %d damaged, found (-want +got):\n%s", tt, s.Damaged, diff)
		}
	}
}

// TestUnlinkedIsCompared does not link what has other content, which no link told
// of beforehand.
func TestUnlinkedIsCompared(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	d := p.arm.layers[0].Digest
	b.remove(at.LayerLink("multi", d))
	b.put(at.Blob(d), "ARM layer 1")
	s, found := run(t, b, check.Options{Digest: true, Repair: check.Repairable()})
	want := []check.Finding{
		{Kind: check.BlobDigest, Key: at.Blob(d), Digest: d, Detail: "remove the object and push it again"},
		{Kind: check.ReferenceBroken, Key: at.Blob(d), Repository: "multi", Digest: d, Manifest: p.arm.manifest.Digest, Detail: "it has other content"},
	}
	if diff := gocmp.Diff(want, found); diff != "" || s.Repaired != 0 {
		t.Errorf("%d repaired; found (-want +got):\n%s", s.Repaired, diff)
	}
}
