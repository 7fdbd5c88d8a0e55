package integration_test

import (
	"errors"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
)

// TestLoserLeavesTheWinnersParts has two writers send parts for one upload. The
// one that loses tidies up, and must take nothing of the other's along: in Azure
// parts belong to a key, and both send theirs to the same.
func TestLoserLeavesTheWinnersParts(t *testing.T) {
	onEach(t, func(t *testing.T, store cloud) {
		inside := look(t, store, store.newBucket(t))
		repo := engine(t, inside, 5*mib).Repository(named(t))
		w, err := repo.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		lost, won := content{12 * mib, 1}, content{12 * mib, 2}
		loser, err := repo.Resume(t.Context(), w.ID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loser.Write(lost.bytes(t)); err != nil {
			t.Fatal(err)
		}
		winner, err := repo.Resume(t.Context(), w.ID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := winner.ReadFrom(won.reader()); err != nil {
			t.Fatal(err)
		}
		if err := winner.Close(); err != nil {
			t.Fatal(err)
		}
		if err := loser.Close(); !errors.Is(err, blobstore.ErrUploadConflict) {
			t.Errorf("the loser: %v, want %v", err, blobstore.ErrUploadConflict)
		}
		last, err := repo.Resume(t.Context(), w.ID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := last.Commit(t.Context(), v1.Descriptor{Digest: won.digest()}); err != nil {
			t.Errorf("commit of the winner's: %v", err)
		}
		_ = last.Close()
		wantNoUploads(t, store, inside)
		if !keepsSources(store) { // see wantNoUploads
			for _, u := range uploads(t, inside, "docker/registry/v2/repositories/cancelled/_uploads/"+w.ID()+"/data") {
				t.Errorf("parts at %s are left", u.Key)
			}
		}
	})
}
