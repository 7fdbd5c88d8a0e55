package transfer

import (
	"fmt"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/glob"
)

// DefaultConcurrency is how many blobs or links are copied at the same time.
const DefaultConcurrency = 16

// Options say what is copied, and how. The zero value copies the whole registry.
type Options struct {
	// Repositories are those to copy: names, or patterns such as team/* and team/**,
	// as in redirect.Policy, which find those that have a manifest. None is the whole
	// registry, blobs included that no repository links to.
	Repositories []string
	// Tags are those to copy of Repositories: names, or patterns as of path.Match.
	// Their manifests are followed to all that they need, and to what refers to them
	// by a tag that begins with their digest, as signatures do. None is everything
	// that a repository has, manifests without a tag included.
	Tags []string
	// KeepTags leaves tags that are another manifest in the destination.
	KeepTags bool
	// Verify reads the blobs that are in the destination already, and replaces those
	// whose content is wrong.
	Verify bool
	// DryRun writes nothing, and tells what would be.
	DryRun bool
	// Concurrency is how many blobs or links are copied at the same time, where a
	// blob of 16 MiB or more counts as four; DefaultConcurrency.
	Concurrency int
	// Problem is called for each, one at a time.
	Problem func(Problem)
	// Progress is called with the bytes of blobs that were copied and of those that
	// are to be, as far as is known by then; one call at a time.
	Progress func(done, total int64)
}

func (o Options) check() error {
	for _, p := range o.Repositories {
		if p == "" || !glob.Valid(p) {
			return fmt.Errorf("repository %q: want a name such as team/app, team/* or team/**: %w", p, driver.Invalid)
		}
	}
	for _, p := range o.Tags {
		if p == "" || !glob.Valid(p) {
			return fmt.Errorf("tag %q: want a tag such as v1.0 or v1.*: %w", p, driver.Invalid)
		}
	}
	if len(o.Tags) > 0 && len(o.Repositories) == 0 {
		return fmt.Errorf("tags are chosen without their repositories: %w", driver.Invalid)
	}
	if o.Concurrency < 0 {
		return fmt.Errorf("concurrency %d: want 1 or more: %w", o.Concurrency, driver.Invalid)
	}
	return nil
}

// Kind tells what a Problem is.
type Kind string

// The kinds of problems. After Failed, Corrupt or Missing the copy is incomplete.
const (
	Failed  Kind = "failed"  // could not be copied; another copy may do it
	Corrupt Kind = "corrupt" // the source's content is not what its key says
	Missing Kind = "missing" // was asked for, and the source does not have it

	Dangling Kind = "dangling" // a link to what the source does not have, not copied; the first of a repository
	LeftOut  Kind = "left-out" // a tag that is not copied for a reason that another Problem tells
	Unknown  Kind = "unknown"  // a key that has no place in a registry, not copied
	Replaced Kind = "replaced" // the destination had a blob of another size or content
	Moved    Kind = "moved"    // the tag was another manifest in the destination
	Kept     Kind = "kept"     // the tag is another manifest in the destination
)

// Incomplete reports whether something is not copied that should have been.
func (k Kind) Incomplete() bool { return k == Failed || k == Corrupt || k == Missing }

// Problem is something that an operator should know of.
type Problem struct {
	Kind Kind
	Key  string // of the source, or the destination where the Kind is about that
	Err  error  // what there is to say about it; nil for Unknown
}

// Summary counts. A dry run's is what would be copied.
type Summary struct {
	Blobs, Bytes        int64 // copied
	BlobsThere          int64 // in the destination already
	BytesThere          int64
	Links, LinksThere   int64 // to blobs and manifests
	Tags, TagsThere     int64
	LeftOut             int64 // links and tags whose blob or manifest is not in the destination
	Incomplete, Remarks int64 // problems, by Kind.Incomplete
}
