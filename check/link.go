package check

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// link is one link. Until it is read, it is taken to say what its key does.
type link struct {
	young bool
	gone  bool // since it was listed
	read  bool
	// says is the digest in it, "" when there is none.
	says digest.Digest
	etag string
}

// there reports whether there is a link, right or wrong.
func (l *link) there() bool { return l != nil && !l.gone }

// right reports whether the link at the key of d is as it should be. A link to a
// layer may also name its digest by another algorithm.
func (l *link) right(d digest.Digest, layer bool) bool {
	return !l.read || l.says == d || layer && l.says != "" && l.says.Algorithm() != d.Algorithm()
}

// target is the digest by which the blob d lies in the bucket.
func (l *link) target(d digest.Digest) digest.Digest {
	if l.there() && l.read && l.right(d, true) {
		return l.says
	}
	return d
}

// readLink reads the link at key.
func (r *run) readLink(ctx context.Context, key string) (link, error) {
	text := bounded{max: layout.MaxLink}
	obj, err := r.read(ctx, key, &text)
	switch {
	case errors.Is(err, driver.NotFound):
		return link{gone: true}, nil
	case err != nil && !errors.Is(err, errTooLong):
		return link{}, fmt.Errorf("link: %w", err)
	}
	// It may be younger than what was listed.
	l := link{read: true, young: r.young(obj.ModTime), etag: obj.ETag}
	if d := digest.Digest(text.p); err == nil && d.Validate() == nil {
		l.says = d
	}
	return l, nil
}

// wrong says what is wrong with a link that is not right.
func (l *link) wrong() (Kind, string) {
	if l.says == "" {
		return LinkMalformed, "it holds no digest"
	}
	return LinkMismatch, "it holds " + l.says.String()
}
