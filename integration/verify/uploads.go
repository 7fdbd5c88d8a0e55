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
func (a *asker) upload(ctx context.Context, key string, parts ...[]byte) (driver.Upload, []driver.Part, error) {
	numbered := make(map[int][]byte)
	for i, data := range parts {
		numbered[i+1] = data
	}
	return a.uploadNumbered(ctx, key, numbered)
}

// uploadNumbered is upload with numbers of the caller's choice.
func (a *asker) uploadNumbered(ctx context.Context, key string, parts map[int][]byte) (u driver.Upload, sent []driver.Part, err error) {
	r := a.ask(ctx, func(ctx context.Context) error {
		u, err = a.CreateUpload(ctx, key, driver.WriteOptions{})
		return err
	})
	if r.err != nil {
		return u, nil, r.err
	}
	for n := 1; len(sent) < len(parts); n++ {
		data, ok := parts[n]
		if !ok {
			continue
		}
		var p driver.Part
		r := a.ask(ctx, func(ctx context.Context) error {
			p, err = a.PutPart(ctx, u, n, section(data))
			return err
		})
		if r.err != nil {
			return u, sent, r.err
		}
		sent = append(sent, p)
	}
	return u, sent, nil
}

// complete completes an upload, and aborts one that can't be completed.
func (a *asker) complete(ctx context.Context, u driver.Upload, parts []driver.Part) (finding, error) {
	r := a.ask(ctx, func(ctx context.Context) error {
		_, err := a.CompleteUpload(ctx, u, parts, driver.Cond{})
		return err
	})
	if r.err != nil {
		_ = a.AbortUpload(ctx, u) // the run's end finds what stays
	}
	return r.finding(accepted)
}

// partGaps completes an upload of parts 1 and 3.
func (a *asker) partGaps(ctx context.Context, key string) (finding, error) {
	u, parts, err := a.uploadNumbered(ctx, key+"/object", map[int][]byte{1: random(1, partSize(a.features)), 3: random(3, 10)})
	if err != nil {
		return finding{}, err
	}
	return a.complete(ctx, u, parts)
}

// unnamedPart completes an upload of two parts, of which it names the first.
func (a *asker) unnamedPart(ctx context.Context, key string) (finding, error) {
	key += "/object"
	first := random(1, partSize(a.features))
	u, parts, err := a.upload(ctx, key, first, random(2, 10))
	if err != nil {
		return finding{}, err
	}
	f, err := a.complete(ctx, u, parts[:1])
	if err != nil || f.found != accepted {
		return f, err
	}
	got, err := a.content(ctx, key)
	if err == nil && got != string(first) {
		f.found = "accepted, and the object has other bytes"
	}
	return f, err
}
