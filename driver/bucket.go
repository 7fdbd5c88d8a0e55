package driver

import (
	"context"
	"io"
)

// Bucket is one bucket (container) of a store, with an optional key prefix that
// is part of the handle and never shows in keys.
//
// All methods may be called concurrently. Every error is an [*Error], or wraps
// one. A method makes one request to the store and never retries: wrappers do.
//
// A reply that says success and lacks the ETag, version or upload id that it must
// carry proves nothing: the call fails with Unavailable, and Error.OutcomeUnknown is set.
type Bucket interface {
	Objects
	// Features tells what else the store offers. The value is the same for the
	// bucket's whole life.
	Features() Features
	// Close frees idle connections. The bucket can't be used afterwards.
	Close() error
}

// Objects are the verbs on whole objects.
type Objects interface {
	// Stat describes the object at key. NotFound when there is none.
	Stat(ctx context.Context, key string) (Object, error)
	// Open reads the object at key, or the part of it that r names. The reader
	// must be closed; ctx bounds its whole life, not Open alone.
	Open(ctx context.Context, key string, r Range, o ReadOptions) (*Reader, error)
	// Put stores body at key in one atomic step. Exists or Mismatch when o.Cond
	// does not hold.
	Put(ctx context.Context, key string, body *io.SectionReader, o WriteOptions) (Object, error)
	// Delete removes the object at key, if there is one. With o.IfVersion it removes
	// that version alone: Mismatch when another is there.
	Delete(ctx context.Context, key string, o DeleteOptions) error
	// ListPage is one page of a listing; [List] iterates over all of them.
	ListPage(ctx context.Context, q ListRequest) (Page[Entry], error)
}

// Uploads are the verbs on an object that is sent in parts, as far as the store has them:
// see Features.Uploads.
type Uploads interface {
	// CreateUpload begins an upload to key. Nothing shows at key until
	// CompleteUpload. o.Cond must be zero: the condition belongs to CompleteUpload.
	CreateUpload(ctx context.Context, key string, o WriteOptions) (Upload, error)
	// PutPart stores part n, 1 <= n <= Features().Parts.MaxParts, or replaces it. Parts
	// may be sent in any order; their numbers set the order of the bytes.
	PutPart(ctx context.Context, u Upload, n int, body *io.SectionReader) (Part, error)
	// CompleteUpload makes the parts the object at u.Key. parts names all that were
	// sent, numbered 1, 2, 3 and so on. A gap is Invalid. A part that was sent and is
	// not named may be refused or left out, as the store likes.
	CompleteUpload(ctx context.Context, u Upload, parts []Part, c Cond) (Object, error)
	// AbortUpload drops the upload and its parts. Aborting one that is gone is nil.
	AbortUpload(ctx context.Context, u Upload) error
	// UploadsPage lists uploads that are neither completed nor aborted. It exists
	// for the sweeper; no upload path needs it. Some stores list an upload only
	// when Prefix is its exact key.
	UploadsPage(ctx context.Context, q ListRequest) (Page[Upload], error)
}
