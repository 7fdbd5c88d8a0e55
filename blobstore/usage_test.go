package blobstore_test

import (
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/internal/friend"
)

// TestUploadsOpen counts what holds on to an upload, however often it lets go.
func TestUploadsOpen(t *testing.T) {
	ctx := t.Context()
	s := newStore(t, newBucket(t))
	repo := newRepository(t, s, "open")
	want := func(what string, n int64) {
		t.Helper()
		if got := s.Usage().Uploads; got != n {
			t.Errorf("%s: %d uploads open, want %d", what, got, n)
		}
	}
	p := content(1, 4<<10+9)
	begin := func() *blobstore.Writer {
		t.Helper()
		w, err := repo.Create(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		return w.(*blobstore.Writer)
	}
	one, two, three := begin(), begin(), begin()
	want("three begun", 3)
	if u := s.Usage(); u.Budget != 1<<20 || u.Memory <= 0 || u.Memory > u.Budget || u.Waiting != 0 {
		t.Errorf("usage %+v", u)
	}
	_, _ = one.Close(), one.Close()
	want("one closed twice", 2)
	if _, err := two.Commit(ctx, v1.Descriptor{Digest: digest.FromString("other")}); err == nil {
		t.Error("committed under another digest")
	}
	_ = two.Close()
	want("one refused", 1)
	_, _, _ = three.Cancel(ctx), three.Cancel(ctx), three.Close()
	want("one cancelled", 0)
	four := begin()
	if _, err := four.Commit(ctx, v1.Descriptor{Digest: digest.FromBytes(p)}); err != nil {
		t.Fatal(err)
	}
	_ = four.Close()
	want("one committed", 0)
	if w, err := repo.Resume(ctx, one.ID()); err != nil || w.Size() != int64(len(p)) {
		t.Errorf("resume: %v", err)
	}
	want("one resumed and dropped", 0)

	f, err := friend.Of(s).Append(ctx, "some/file", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(p); err != nil {
		t.Fatal(err)
	}
	want("a file", 1)
	if err := f.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	want("a file committed", 0)
	if got := s.Usage().Memory; got != 0 {
		t.Errorf("%d bytes in use at the end", got)
	}
}
