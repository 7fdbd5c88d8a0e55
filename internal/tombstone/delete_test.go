package tombstone_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/tombstone"
)

var l = layout.Layout{Root: layout.DefaultRoot}

func put(t *testing.T, b driver.Bucket, key, text string) driver.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// dying is a blob that is being deleted.
func dying(t *testing.T, b driver.Bucket) (digest.Digest, tombstone.Stored) {
	t.Helper()
	d := digest.FromString("blob")
	s, err := tombstone.Create(t.Context(), b, l, d, tombstone.Of(put(t, b, l.Blob(d), "blob")))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return d, s
}

// TestHiddenVersion deletes a version that is below a newer one, by requests whose replies are lost:
// that another version is there does not tell whether they were executed.
func TestHiddenVersion(t *testing.T) {
	raw := mem.New()
	d, s := dying(t, raw)
	put(t, raw, l.Blob(d), "blob")
	var calls int
	b := driver.Wrap(raw, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op != driver.OpDelete {
			return next(ctx)
		}
		if calls++; calls < 3 {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, OutcomeUnknown: true}
		}
		return next(ctx)
	})
	if err := s.Delete(t.Context(), b); err != nil || calls != 3 {
		t.Errorf("Delete: %v after %d requests, want one with a reply, the third", err, calls)
	}
	if _, err := raw.Stat(t.Context(), l.Blob(d)); err != nil {
		t.Errorf("the newer version: %v", err)
	}
}

// TestDeleteWithoutReply never gets one, and says that it is not known what became of the object.
func TestDeleteWithoutReply(t *testing.T) {
	raw := mem.New()
	_, s := dying(t, raw)
	b := fault.Wrap(raw, fault.Script{{Op: driver.OpDelete, Where: fault.After, Kind: driver.Unavailable}})
	if err := s.Delete(t.Context(), b); !errors.Is(err, driver.Unavailable) || s.State != tombstone.Deleting {
		t.Errorf("Delete: %v, state %s", err, s.State)
	}
}

// TestClearEnds waits for a deletion that nobody carries out any more, on a store without versions,
// and for one that its client does not wait for.
func TestClearEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mem.NewWith(mem.Imitations()["minio"])
		d, s := dying(t, b)
		w := tombstone.NewWatch(b, l, time.Hour, nil)
		defer w.Close()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.Clear(ctx, d); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("a client that goes away: %v after %v", err, time.Since(began))
		}
		if there, err := tombstone.Read(t.Context(), b, s.At); err != nil || there.State != tombstone.Deleting {
			t.Errorf("%+v, %v, want it as it was", there, err)
		}
		sight, err := w.Clear(t.Context(), d)
		if err != nil || sight.Dying() || time.Now().Before(s.NotAfter) || time.Since(began) > time.Minute {
			t.Errorf("Clear: %v, dying %t, after %v, NotAfter in %v", err, sight.Dying(), time.Since(began), time.Until(s.NotAfter))
		}
		// The collector that had begun does nothing more.
		if err := s.Delete(t.Context(), b); !errors.Is(err, driver.Mismatch) && !errors.Is(err, driver.Invalid) {
			t.Errorf("the collector's deletion: %v", err)
		}
		if _, err := b.Stat(t.Context(), l.Blob(d)); err != nil {
			t.Errorf("the object that was put again: %v", err)
		}
	})
}
