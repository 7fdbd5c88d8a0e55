package upload

import (
	"context"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
)

// unlinked is in the place of a repository for uploads that belong to none.
const unlinked = "_unlinked"

// PutBlob stores content of size bytes as the blob d, without a link. What is there
// already is left if it has that size, unless replace is set.
func (e *Engine) PutBlob(ctx context.Context, d digest.Digest, size int64, content io.Reader, replace bool) error {
	r := Request{Digest: d, Length: size, Final: true}
	i, err := e.newID(unlinked)
	if err != nil {
		return err
	}
	e.cache.begun(i.uuid)
	st := e.firstState(i, unlinked, r)
	if !slices.Contains(st.header.Algorithms, d.Algorithm()) || d.Algorithm() != digest.SHA256 {
		st.header.Algorithms = []digest.Algorithm{d.Algorithm()}
	}
	w := e.newWriter(ctx, unlinked, st, r)
	w.unlinked, w.replace = true, replace
	defer func() { _ = w.Close() }()
	if _, err = w.ReadFrom(content); err == nil {
		_, err = w.Commit(ctx, d, size)
	}
	if err != nil {
		w.drop() // nobody can go on with it
	}
	return err
}
