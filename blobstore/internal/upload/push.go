package upload

import (
	"context"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
)

// unlinked is in the place of a repository for uploads that belong to none.
const unlinked = "_unlinked"

// Push is content that comes in one piece, and what becomes of it.
type Push struct {
	Repository string // that is to link the blob; "" is none
	Digest     digest.Digest
	Size       int64 // in bytes
	Content    io.Reader
	// Replace writes even where a blob of that size is; otherwise that is left.
	Replace bool
}

// Push stores a blob in one call. A *Verdict when the content is not what it was said to
// be. It can't be resumed: what a Push has written that fails is removed.
func (e *Engine) Push(ctx context.Context, p Push) error {
	repo := p.Repository
	if repo == "" {
		repo = unlinked
	}
	r := Request{Digest: p.Digest, Length: p.Size, Final: true}
	i, err := e.newID(repo)
	if err != nil {
		return err
	}
	e.cache.begun(i.uuid)
	st := e.firstState(i, repo, r)
	if alg := p.Digest.Algorithm(); !slices.Contains(st.header.Algorithms, alg) || alg != digest.SHA256 {
		st.header.Algorithms = []digest.Algorithm{alg}
	}
	w := e.newWriter(ctx, repo, st, r)
	w.pushed, w.unlinked, w.replace = true, p.Repository == "", p.Replace
	defer func() { _ = w.Close() }()
	if _, err = w.ReadFrom(p.Content); err == nil {
		_, err = w.Commit(ctx, p.Digest, p.Size)
	}
	if err != nil {
		w.drop() // nobody can go on with it
	}
	return err
}
