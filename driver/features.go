package driver

import (
	"context"
	"net/http"
	"time"
)

// Features is what a store offers beyond the verbs of Bucket. A nil field is a
// feature that is not offered. Features are fields of a struct rather than further
// methods of a Bucket, so that a wrapper decorates each and can't lose one.
type Features struct {
	Name  string // provider and profile, such as "s3/minio"; for logs and metrics
	Parts PartLimits
	Conds Conds
	// Metadata tells that ContentType and Metadata of a write are kept. Where they
	// are not, they are dropped: every object reads as application/octet-stream
	// and has no metadata.
	Metadata bool

	// What the bucket's configuration prefers; 0 leaves it to the caller.
	PartSize    int64 // bytes of an upload's first parts or pieces
	Concurrency int   // of them in flight
	Copying     CopyPlan
	// PageSize is the entries that a listing asks for at a time which may stop early; 0 is
	// MaxPage. Files say less: an entry costs them a call of the system, and a request
	// nothing.
	PageSize int

	// Uploads sends objects in parts. nil where the store has no multipart uploads (GCS,
	// files): there Concat joins objects.
	Uploads Uploads
	// UploadsByKey reports whether UploadsPage lists an upload only where Prefix is its
	// exact key (MinIO).
	UploadsByKey bool
	// CopyPart fills part n of u with bytes of another object, by the server. A range
	// that reaches beyond its end is Invalid, or OutOfRange where the store says so. nil
	// where Uploads is.
	CopyPart func(ctx context.Context, u Upload, n int, src Source) (Part, error)

	// Identify asks the store for one reply, a refusal does too, and tells by its form which
	// kind of store it is: a value of the driver's profile option, or "" where the reply
	// tells none. nil where the configuration or the endpoint's host name has told.
	Identify func(ctx context.Context) (profile string, err error)

	// Settings asks for the settings of the bucket that decide how a registry fares in it, as
	// far as the store tells them. It makes a few requests that change nothing. Settings that
	// the credentials may not read are no error: they have a Grant. nil where there are none.
	Settings func(ctx context.Context) ([]BucketSetting, error)

	// Permissions is what the store calls the permission that each verb needs, for
	// telling what is missing.
	Permissions map[Op]string

	// Now is the time by the store's clock, as far as its replies have told it: ages of
	// objects are measured by it. Nil is this machine's clock.
	Now func() time.Time

	// SuffixRange tells that who reads by a signed URL may ask for the last bytes,
	// as in "Range: bytes=-7". Azure knows no such ranges.
	SuffixRange bool
	// Transport sends requests as the driver does: with its authorities, client
	// certificate and time-outs. It adds no credentials. nil where there is no HTTP.
	Transport http.RoundTripper
	// Sign makes a URL that works without further credentials.
	Sign func(ctx context.Context, r SignRequest) (SignedURL, error)
	// StatChecksums is Stat of an object with its Checksums, as far as the store reports
	// any for the object. nil where it never does. Package function StatChecksums works on
	// every store.
	//
	//   - GCS has the CRC-32C of each object, also of a composed one. Without the key it
	//     tells none of an object that the customer's key encrypts.
	//     https://cloud.google.com/storage/docs/data-validation
	//   - S3 has the sum that an object was written with: the CRC-32C or SHA-256 of a Put,
	//     the CRC-32C of a multipart upload that was begun with checksum type FULL_OBJECT.
	//     Composite sums, which cover the parts' sums, are left out. The request needs the
	//     permission to decrypt an object that KMS encrypts; without it, it is repeated
	//     without sums.
	//     https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
	//   - Azure has but the MD5 that a client has stored with the blob. It computes none
	//     for blobs of blocks, so that this says nothing of the bytes.
	//     https://learn.microsoft.com/en-us/rest/api/storageservices/get-blob-properties
	StatChecksums func(ctx context.Context, key string) (Object, error)
	// Copy copies an object inside the bucket, atomically and by the server.
	// Object.Size is -1 where the store does not tell it (S3).
	Copy func(ctx context.Context, r CopyRequest) (Object, error)
	// CopyMax is the largest object in bytes that Copy takes; 0 is no limit.
	CopyMax int64
	// Concat makes an object of whole existing objects, atomically and without moving
	// bytes through this process. Package function Concat does so on every store.
	Concat func(ctx context.Context, r ConcatRequest) (Object, error)
	// DeleteBatch deletes up to BatchMax objects in one request. Absent keys are no
	// error. The error is that of the first ref that failed; the others are deleted.
	DeleteBatch func(ctx context.Context, refs []ObjectRef) error
	BatchMax    int
}

// Time is Now, where the store tells it, or this machine's time.
func (f Features) Time() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

// BucketSetting is a setting of a bucket, as its store tells it.
type BucketSetting struct {
	Name  string // such as "object versioning"
	Value string // such as "on"; "" where Grant is set
	// Advice is what it does to a registry, and what to do about it; "" is nothing.
	Advice string
	// Grant is the permission to read the setting, which the credentials lack.
	Grant string
}

// Names of the settings by which a bucket keeps what is deleted and replaced. Their Advice is
// "" where nothing is kept.
const (
	ObjectVersioning = "object versioning"
	BlobVersioning   = "blob versioning" // Azure's
	SoftDelete       = "soft delete"
)

// KeepsNoncurrent reports whether the bucket keeps, or has kept, what is deleted and replaced
// because of this setting.
func (s BucketSetting) KeepsNoncurrent() bool {
	switch s.Name {
	case ObjectVersioning, BlobVersioning, SoftDelete:
		return s.Advice != ""
	default:
		return false
	}
}

// Source is an object that a server-side copy reads.
type Source struct {
	Key   string
	ETag  string // when set, the version that must still be there, else Mismatch
	Range Range  // for CopyPart, with a length; must be zero elsewhere
	// Size, when not 0, is the size of the whole object. CopyPart of a Range that is
	// all of it asks for no range, which small objects want on S3.
	Size int64
}

// Whole reports whether the range is all of an object with a known size.
func (s Source) Whole() bool { return s.Size != 0 && s.Range == Range{Len: s.Size} }

// CopyRequest asks for a server-side copy.
type CopyRequest struct {
	Src Source
	Dst string
	// Options of the copy. SHA256 is ignored: the store moves the bytes. With
	// neither ContentType nor Metadata the copy keeps the source's; else it has
	// these.
	Options WriteOptions
}

// ConcatRequest asks for an object that consists of others.
type ConcatRequest struct {
	Key string
	// Sources are objects of this bucket, in the order of their bytes. Key and Size
	// must be right. ETag and Version, where set, name the version that must still be
	// there, else Mismatch; a source that is gone is NotFound. Stores that name
	// versions by something else than ETags (S3) compare the ETag alone.
	Sources []Object
	// Options of the object. SHA256 is ignored. With neither ContentType nor Metadata
	// the object has the store's defaults, or those of a single source.
	Options WriteOptions
	// CRC32C of all bytes of the object, where it is known. A store that has both
	// Features.Concat and Features.StatChecksums compares it, and refuses sources with
	// other bytes with Corrupt. Other stores ignore it.
	CRC32C *uint32
	// DeleteSources lets the store delete the sources in the request that makes the
	// object (GCS). Sources may stay all the same, and all stay on failure.
	DeleteSources bool
	// Scratch is how the keys of intermediate objects begin, where the store needs
	// them (GCS, more than 32 sources); "" is Key and a suffix. They are removed again,
	// except by a crash.
	Scratch string
}

// Size is the object's size: the sum of the sources' sizes.
func (r ConcatRequest) Size() (total int64) {
	for _, s := range r.Sources {
		total += s.Size
	}
	return total
}

// SignRequest asks for a signed URL.
type SignRequest struct {
	Method string // GET, HEAD, or PUT for a part
	Key    string
	// Upload and Part name the part that a PUT may send.
	Upload Upload
	Part   int
	// Expires is how long the URL is to work.
	Expires time.Duration
	// What the store is to answer instead of what the object has; "" leaves it.
	ContentType, CacheControl, ContentDisposition string
}

// SignedURL gives access to whoever has it: its String hides the signature.
type SignedURL struct {
	URL     string
	Header  http.Header // to be sent along
	Expires time.Time
}

// String is the URL without its query, fit for logs.
func (s SignedURL) String() string { return RedactURL(s.URL) }

// RedactURL cuts the query, fragment and user information off a URL, which is
// where credentials and signatures are.
func RedactURL(raw string) string {
	u, err := parseURL(raw)
	if err != nil {
		return "(unparsable URL)"
	}
	u.User = nil
	u.Fragment, u.RawFragment = "", ""
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	return u.String()
}
