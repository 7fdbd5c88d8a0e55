package upload

import (
	"context"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/internal/tombstone"
)

// unlinked is in the place of a repository for uploads that belong to none.
const unlinked = "_unlinked"

// Push is content that comes in one piece, and what becomes of it.
type Push struct {
	Repository string        // that is to link the blob; "" is none
	Digest     digest.Digest // "" is the SHA-256 digest of whatever comes
	Size       int64         // in bytes; negative is any
	Content    io.Reader
	// Replace writes even where a blob of that size is; otherwise that is left.
	Replace bool
}

// Pushed is what a Push has stored.
type Pushed struct {
	Digest digest.Digest
	Size   int64
	Sight  tombstone.Sight // before it was published
}

// Push stores a blob in one call. A *Verdict when the content is not what it was said to
// be. It can't be resumed: what a Push has written that fails is removed.
func (e *Engine) Push(ctx context.Context, p Push) (Pushed, error) {
	repo := p.Repository
	if repo == "" {
		repo = unlinked
	}
	r := Request{Digest: p.Digest, Length: p.Size, Final: true}
	i, err := e.newID(repo)
	if err != nil {
		return Pushed{}, err
	}
	e.cache.begun(i.uuid)
	st := e.firstState(i, repo, r)
	if p.Digest != "" && (!slices.Contains(st.header.Algorithms, p.Digest.Algorithm()) || p.Digest.Algorithm() != digest.SHA256) {
		st.header.Algorithms = []digest.Algorithm{p.Digest.Algorithm()}
	}
	w := e.newWriter(ctx, repo, st, r)
	w.pushed, w.unlinked, w.replace = true, p.Repository == "", p.Replace
	defer func() { _ = w.Close() }()
	done := Pushed{Digest: p.Digest}
	if _, err = w.ReadFrom(p.Content); err == nil {
		if done.Digest == "" {
			done.Digest = w.Digest()
		}
		done.Size, err = w.Commit(ctx, done.Digest, p.Size)
	}
	if err != nil {
		w.drop() // nobody can go on with it
		return Pushed{}, err
	}
	done.Sight = w.sight
	return done, nil
}
