package mem

import (
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Options tune a bucket. The zero value has every feature, S3's limits on parts and
// a version of each object.
type Options struct {
	// Parts replaces the limits on parts; fields that are 0 keep S3's, except
	// MinSize, which is meant when any other field is set.
	Parts driver.PartLimits

	// Features that are not offered.
	NoConcat   bool
	NoUploads  bool // no part copies either
	NoCopy     bool // no copy of whole objects
	NoPartCopy bool
	NoBatch    bool
	NoConds    bool // no conditions of any kind, deletes included

	NoChecksums bool // Stat reports none

	CopyMax int64 // Features.CopyMax

	// Unversioned gives equal bytes equal ETags, and no versions at all.
	Unversioned bool
	// KeyInterval refuses writes to a key that follow one another faster, with a
	// Throttled error that has KeyOnly set.
	KeyInterval time.Duration
	// WriteDropsUploads has a write at a key drop all uploads to the key.
	WriteDropsUploads bool
}

// Imitations are options with which a bucket publishes objects as the named stores
// do: "minio" (and Amazon S3), "r2", "ceph", "gcs", "file", "azure", and "plain" for a
// store without conditions and copies. All have S3's limits on parts, or the store's own.
func Imitations() map[string]Options {
	const (
		// https://developers.cloudflare.com/r2/platform/limits/
		r2Interval = time.Second
		// https://cloud.google.com/storage/quotas#objects
		gcsInterval = time.Second
		// https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob-from-url
		azureCopyMax = 256 * mib
	)
	return map[string]Options{
		"minio": {NoConcat: true, Unversioned: true},
		// https://developers.cloudflare.com/r2/objects/upload-objects/
		"r2": {
			NoConcat: true, Unversioned: true, KeyInterval: r2Interval, NoChecksums: true,
			Parts: driver.PartLimits{MinSize: minPart, Uniform: true},
		},
		"ceph": {NoConcat: true, NoConds: true, Unversioned: true, NoChecksums: true},
		"gcs": {
			NoUploads: true, KeyInterval: gcsInterval,
			// https://cloud.google.com/storage/quotas#objects
			Parts: driver.PartLimits{MinSize: 1, MaxObject: 5 << 40},
		},
		"file": {NoUploads: true, NoBatch: true, NoChecksums: true, Parts: driver.PartLimits{MinSize: 1}},
		"azure": {
			NoConcat: true, CopyMax: azureCopyMax, WriteDropsUploads: true, NoChecksums: true,
			// https://learn.microsoft.com/en-us/azure/storage/blobs/scalability-targets
			Parts: driver.PartLimits{MinSize: 1, MaxSize: 4000 * mib, MaxParts: 50_000},
		},
		"plain": {NoConcat: true, NoCopy: true, NoPartCopy: true, NoBatch: true, NoConds: true, Unversioned: true, NoChecksums: true},
	}
}

// restrict takes away from f what o does not offer.
func (o Options) restrict(f *driver.Features) {
	f.CopyMax = o.CopyMax
	if o.NoConcat {
		f.Concat, f.Conds.Concat = nil, driver.NoCond
	}
	if o.NoUploads {
		f.Uploads, f.Conds.Complete = nil, driver.NoCond
	}
	if o.NoCopy {
		f.Copy, f.Conds.Copy = nil, driver.NoCond
	}
	if o.NoPartCopy || o.NoUploads {
		f.CopyPart = nil
	}
	if o.NoBatch {
		f.DeleteBatch, f.BatchMax, f.Conds.DeleteBatch = nil, 0, false
	}
	if o.NoChecksums {
		f.StatChecksums = nil
	}
	if o.Unversioned {
		f.Conds.DeleteBatch = false
	}
	if o.NoConds {
		f.Conds = driver.Conds{}
	}
}

// allows is Unsupported for a condition that the options take away.
func (b *Bucket) allows(c driver.Cond) error {
	if err := c.Check(); err != nil {
		return err
	}
	if b.options.NoConds && !c.IsZero() {
		return driver.Unsupported
	}
	return nil
}
