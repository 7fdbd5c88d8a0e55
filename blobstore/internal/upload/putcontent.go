package upload

import (
	"bytes"
	"context"
	"io"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// PutContent stores p, which has the digest d, as a blob of the repository.
func (e *Engine) PutContent(ctx context.Context, repo string, d digest.Digest, p []byte) error {
	var sum digest.Digest
	if d.Algorithm() == digest.SHA256 {
		sum = d
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return e.putBlob(ctx, d, contentIn(p, sum), io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), false)
	})
	g.Go(func() error { return e.Link(ctx, repo, d, d) })
	return g.Wait()
}
