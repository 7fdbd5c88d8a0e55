package verify

import (
	"context"
	"math/rand/v2"

	"github.com/blobdock/blobdock/driver"
)

// random is n bytes that depend on seed alone.
func random(seed byte, n int64) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// partSize is the smallest size that every part of an upload may have.
func partSize(f driver.Features) int64 { return max(f.Parts.MinSize, 1) }

// upload begins an upload and sends parts, numbered from 1.
func (a *asker) upload(ctx context.Context, key string, parts ...[]byte) (u driver.Upload, sent []driver.Part, err error) {
	r := a.ask(ctx, func(ctx context.Context) error {
		u, err = a.features.Uploads.CreateUpload(ctx, key, driver.WriteOptions{})
		return err
	})
	if r.err != nil {
		return u, nil, r.err
	}
	for i, data := range parts {
		var p driver.Part
		r := a.ask(ctx, func(ctx context.Context) error {
			p, err = a.features.Uploads.PutPart(ctx, u, i+1, section(data))
			return err
		})
		if r.err != nil {
			return u, sent, r.err
		}
		sent = append(sent, p)
	}
	return u, sent, nil
}
