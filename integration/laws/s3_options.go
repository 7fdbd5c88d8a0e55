package laws

import "time"

// S3Options are what the documents of S3 and its compatible stores leave open, and the
// states that a store may be in.
type S3Options struct {
	// KeyRate is how often one key may be written to, on R2. Writes that the store then
	// refuses, for a condition or a missing part, count too.
	KeyRate KeyRate
	// DeletesFree lets deletes pass that KeyRate would count. R2's documents speak of
	// writes; the strict reading is that a delete is one.
	DeletesFree bool
	// RequestRate is how many requests a prefix takes.
	RequestRate RequestRate

	// ClockSkew is the store's clock minus ours, for the law clock-skew.
	ClockSkew time.Duration
	// TokenLife is how long a session token works from its first use on, for the law
	// token-expiry; 0 is for ever.
	TokenLife time.Duration

	// SpaceBehindDeclaration puts the white space that keeps a connection alive behind
	// the XML declaration. No document says where it stands; before the declaration the
	// answer is no XML, which is the stricter reading.
	SpaceBehindDeclaration bool
	// LateCode is the error inside a late-error answer: InternalError by default,
	// SlowDown for one.
	LateCode string

	// DeleteAbsentUnmet answers a conditional delete of an absent key by 412. By default
	// it is 404, as documented for the other conditional writes.
	DeleteAbsentUnmet bool
	// RefuseCompleteConditions answers conditions on completion by 501 in place of
	// ignoring them, for the law complete-unconditional.
	RefuseCompleteConditions bool
	// PathStyle lets requests pass that have the bucket in their path, for the law
	// virtual-host.
	PathStyle bool
}

// RequestRate is how many requests each partition of a bucket takes in a time; 0 is what S3
// documents.
type RequestRate struct {
	Per    time.Duration // 0 is a second
	Reads  int           // GET and HEAD; 0 is 5,500
	Writes int           // PUT, COPY, POST and DELETE; 0 is 3,500
	// Partition names the partition that a key lies in; nil is one for each bucket. S3
	// documents rates "per partitioned prefix" and splits partitions by itself, after
	// a time under load: the strict reading is a bucket that it has not yet split.
	Partition func(key string) string
}
