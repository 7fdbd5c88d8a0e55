package main

import (
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/bench/content"
)

// digests are those of all content so far. To hash is not part of what is measured:
// a client knows the digest of what it pushes.
var digests sync.Map

func digestOf(c content.Content) digest.Digest {
	if d, ok := digests.Load(c); ok {
		return d.(digest.Digest)
	}
	d := c.Digest()
	digests.Store(c, d)
	return d
}
