package main

import (
	"context"
	"fmt"

	"github.com/blobdock/blobdock/bench/content"
	"github.com/blobdock/blobdock/driver"
)

// scenario is a piece of work that is measured.
type scenario struct {
	key      string
	about    string
	redirect bool // whether the registry is to send clients to signed URLs
	shared   bool // reads alone, so that all samples can have one bucket

	// prepare fills the bucket, by another process than the one that is measured.
	prepare func(context.Context, *visit) error
	run     func(context.Context, *visit) error

	// reference is what the reference program does, where it does it. Such a
	// scenario has no registry, and works on S3 alone.
	reference string
}

// registries are those that a scenario is measured with.
func (s scenario) registries() []registry {
	if s.reference != "" {
		return []registry{limit}
	}
	return []registry{stock, blobdock}
}

const (
	streamed = "POST, PATCH, PUT" // as docker and crane push
	mono     = "POST, PUT"        // as containerd and oras push

	chunk     = mib
	tiny      = 64 * kib
	smallSize = 10 * kib
	smalls    = 200
	clients   = 8
	ranges    = 16
	tags      = 100
	layers    = 5
)

// scenarios are all that there are, in the order of the table. Scenarios that are
// compared stand side by side, as the machine is another an hour later.
func scenarios(o options) []scenario {
	large := o.large()
	little := content.Content{Size: tiny, Seed: 2}
	chunked := content.Content{Size: o.chunked, Seed: 3}
	size := driver.FormatBytes
	seeded := func(ctx context.Context, v *visit) error { return v.ensure(ctx, large) }
	piece := min(mib, max(o.size/ranges, 1))
	return []scenario{
		{
			key: "push-stream", about: size(large.Size) + " by " + streamed,
			run: func(ctx context.Context, v *visit) error { return v.pushStream(ctx, "bench/push", large, large.Size) },
		},
		{
			key: "push-mono", about: size(large.Size) + " by " + mono,
			run: func(ctx context.Context, v *visit) error { return v.pushMono(ctx, "bench/push", large) },
		},
		{key: "limit-upload", about: size(large.Size) + " by the AWS SDK's transfer manager, and sha256 of them at once", reference: "upload"},
		{key: "limit-sha256", about: "sha256 of " + size(large.Size), reference: "sha256"},
		{
			key: "push-again", about: size(large.Size) + " by " + mono + ", which are there already",
			prepare: func(ctx context.Context, v *visit) error { return v.pushMono(ctx, "bench/push", large) },
			run:     func(ctx context.Context, v *visit) error { return v.pushMono(ctx, "bench/push", large) },
		},
		{
			key: "push-chunked", about: size(chunked.Size) + " in PATCHes of " + size(chunk),
			run: func(ctx context.Context, v *visit) error { return v.pushStream(ctx, "bench/push", chunked, chunk) },
		},
		{
			key: "push-stream-64KiB", about: size(tiny) + " by " + streamed,
			run: func(ctx context.Context, v *visit) error { return v.pushStream(ctx, "bench/push", little, tiny) },
		},
		{
			key: "push-mono-64KiB", about: size(tiny) + " by " + mono,
			run: func(ctx context.Context, v *visit) error { return v.pushMono(ctx, "bench/push", little) },
		},
		{
			key: "push-small", about: fmt.Sprintf("%d blobs of %s by %s, %d clients", smalls, size(smallSize), streamed, clients),
			run: by((*visit).pushSmall),
		},
		{
			key: "mount", about: size(tiny) + " from another repository",
			prepare: func(ctx context.Context, v *visit) error { return v.pushMono(ctx, "bench/from", little) },
			run: func(ctx context.Context, v *visit) error {
				return v.mount(ctx, "bench/mounted", "bench/from", digestOf(little))
			},
		},
		{
			key: "image-push", about: fmt.Sprintf("config, %d layers of %s, manifest, as crane does", layers, size(tiny)),
			run: by((*visit).pushImage),
		},
		{
			key: "image-pull", about: "the same image", redirect: true, shared: true,
			prepare: by((*visit).pushImage), run: by((*visit).pullImage),
		},
		{
			key: "image-pull-streamed", about: "the same image, redirects off", shared: true,
			prepare: by((*visit).pushImage), run: by((*visit).pullImage),
		},
		{
			key: "pull-redirect", about: size(large.Size) + " from a signed URL", redirect: true, shared: true,
			prepare: seeded, run: func(ctx context.Context, v *visit) error { return v.pull(ctx, large, true) },
		},
		{
			key: "pull-stream", about: size(large.Size) + " through the registry", shared: true,
			prepare: seeded, run: func(ctx context.Context, v *visit) error { return v.pull(ctx, large, false) },
		},
		{
			key: "limit-copy", about: size(large.Size) + " straight from the store", shared: true,
			prepare: seeded, reference: "get",
		},
		{
			key: "pull-range", about: fmt.Sprintf("%d ranges of %s, one after the other, redirects off", ranges, size(piece)), shared: true,
			prepare: seeded, run: func(ctx context.Context, v *visit) error { return v.pullRanges(ctx, large, piece) },
		},
		{
			key: "tags", about: fmt.Sprintf("list of %d", tags), shared: true,
			prepare: by((*visit).seedTags), run: by((*visit).listTags),
		},
		{
			key: "catalog", about: fmt.Sprintf("list of %d repositories", o.repositories), shared: true,
			prepare: func(ctx context.Context, v *visit) error { return v.seedCatalog(ctx, o.repositories) },
			run:     func(ctx context.Context, v *visit) error { return v.listCatalog(ctx, o.repositories) },
		},
	}
}

// by is a method as a scenario calls it.
func by(method func(*visit, context.Context) error) func(context.Context, *visit) error {
	return func(ctx context.Context, v *visit) error { return method(v, ctx) }
}
