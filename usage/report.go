package usage

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/blobdock/blobdock/driver"
)

// Count is a number of objects, and their bytes.
type Count struct{ Objects, Bytes int64 }

func (c *Count) add(bytes int64) {
	c.Objects++
	c.Bytes += bytes
}

// Usage is what a repository or a team has.
type Usage struct {
	Name         string
	Repositories int64 // 1 of a repository
	Manifests    int64 // with a revision link, those of several repositories once for each
	Untagged     int64 // of these, those that no tag reaches; see Untagged
	Tags         int64
	Blobs        int64 // manifests among them, each once
	// Logical is the bytes that the repositories have, what several of them have once for each.
	Logical int64
	// Stored is the bytes of Blobs. It is Logical of a repository.
	Stored int64
	// Exclusive is the bytes of Blobs that no other repository, or team, has.
	Exclusive int64
}

// Shared is the bytes that others have as well.
func (u Usage) Shared() int64 { return u.Stored - u.Exclusive }

// Deduplicated is the bytes that the store spares because repositories of the team share
// blobs: Logical minus Stored.
func (u Usage) Deduplicated() int64 { return u.Logical - u.Stored }

// Untagged is about manifests that no tag of their repository reaches: they are neither tagged,
// nor named by an index that a tag reaches, nor a referrer of a manifest that a tag reaches. A
// referrer whose subject the repository does not have counts as tagged.
type Untagged struct {
	Manifests int64 // those of several repositories count for each
	Only      Count // blobs that such manifests name, or are, and that no tag of any repository reaches
}

// Reclaimable is about blobs that no manifest of a repository and no tag names.
type Reclaimable struct {
	Old   Count // at least as old as Options.OlderThan
	Young Count // may belong to a push under way
}

// Uploads is about uploads, today's and those of earlier versions and distribution's own drivers.
type Uploads struct {
	All       int64
	Abandoned int64 // that nobody has touched for Options.UploadAge
	Stored    Count // the objects of all
	// Reclaimable is the objects of those that are abandoned.
	Reclaimable Count
}

// Report is what is in the bucket of a registry.
type Report struct {
	// Repositories and Teams are ordered by their names.
	Repositories, Teams []Usage

	Blobs  Count // all, manifests among them
	Links  Count
	Others Count // that have no place in a registry's layout
	// Orphans are the blobs that no repository has. They are Reclaimable.
	Orphans Count

	Untagged    Untagged
	Reclaimable Reclaimable
	Uploads     Uploads

	// Noncurrent are the settings by which the bucket keeps what is deleted and replaced.
	// None of that is counted. Empty where the store does not tell, or the credentials may not
	// ask.
	Noncurrent []driver.BucketSetting

	// MalformedManifests and MalformedLinks could be read, and not be understood. As they may name
	// any blob that their repository has a link to, no such blob is reclaimable.
	MalformedManifests, MalformedLinks int64
}

// Total is all objects that were listed.
func (r Report) Total() Count {
	var all Count
	for _, c := range []Count{r.Blobs, r.Links, r.Others, r.Uploads.Stored} {
		all.Objects += c.Objects
		all.Bytes += c.Bytes
	}
	return all
}

// All is the sum of the repositories. Blobs, Stored and Exclusive are of what any of them has.
func (r Report) All() Usage {
	var all Usage
	for _, u := range r.Repositories {
		all.Repositories++
		all.Manifests += u.Manifests
		all.Untagged += u.Untagged
		all.Tags += u.Tags
		all.Logical += u.Logical
	}
	all.Blobs = r.Blobs.Objects - r.Orphans.Objects
	all.Stored = r.Blobs.Bytes - r.Orphans.Bytes
	all.Exclusive = all.Stored
	return all
}

// Order is by what repositories and teams are sorted: by a number, the largest first, or by name.
type Order string

// The orders.
const (
	ByExclusive    Order = "exclusive"
	ByShared       Order = "shared"
	ByLogical      Order = "logical"
	ByStored       Order = "stored"
	ByDeduplicated Order = "deduplicated"
	ByManifests    Order = "manifests"
	ByUntagged     Order = "untagged"
	ByName         Order = "name"
)

// Orders are all orders.
func Orders() []Order {
	return []Order{ByExclusive, ByShared, ByLogical, ByStored, ByDeduplicated, ByManifests, ByUntagged, ByName}
}

func (o Order) of(u Usage) int64 {
	switch o {
	case ByExclusive:
		return u.Exclusive
	case ByShared:
		return u.Shared()
	case ByLogical:
		return u.Logical
	case ByStored:
		return u.Stored
	case ByDeduplicated:
		return u.Deduplicated()
	case ByManifests:
		return u.Manifests
	case ByUntagged:
		return u.Untagged
	default:
		return 0
	}
}

// Sort sorts repositories and teams. Those with equal numbers are ordered by name. Invalid for
// an order that is none of [Orders].
func (r *Report) Sort(by Order) error {
	if !slices.Contains(Orders(), by) {
		return fmt.Errorf("order %q: want one of %v: %w", by, Orders(), driver.Invalid)
	}
	for _, list := range [][]Usage{r.Repositories, r.Teams} {
		slices.SortFunc(list, func(x, y Usage) int {
			return cmp.Or(cmp.Compare(by.of(y), by.of(x)), cmp.Compare(x.Name, y.Name))
		})
	}
	return nil
}
