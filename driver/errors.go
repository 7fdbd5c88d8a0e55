package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Kind classifies what went wrong, whatever the store. A Kind is itself an
// error, so that errors.Is(err, driver.NotFound) asks for it. Where the standard
// library has a name for the same thing, errors.Is holds for that as well:
// fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, errors.ErrUnsupported.
type Kind uint8

const (
	Unknown     Kind = iota // none of the below; look at the cause
	NotFound                // no such object, upload or part
	Exists                  // Cond.IfAbsent did not hold
	Mismatch                // IfMatch did not hold, or a named part changed
	Invalid                 // the request itself is wrong: key, range, number, size
	OutOfRange              // a range begins beyond the object's end
	Denied                  // credentials missing, wrong, expired or not allowed to
	Throttled               // the store asks to slow down; nothing was done
	Unavailable             // the store can't be reached or has an inner fault
	Unsupported             // the store, or this profile of it, can't do that
	Corrupt                 // content does not have the digest or checksum it should
	NoBucket                // the bucket itself does not exist
	Full                    // the store has no room left, or a quota of bytes is used up
	TooLarge                // the store finds the object or request too large
	numKinds
)

var kindNames = [numKinds]string{
	"unknown error", "not found", "already exists", "precondition not met", "invalid request",
	"out of range", "access denied", "throttled", "store unavailable", "not supported",
	"content corrupt", "no such bucket", "storage full", "too large",
}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

func (k Kind) Error() string { return k.String() }

// Is makes errors.Is match the standard library's names for k.
func (k Kind) Is(target error) bool {
	switch k {
	case NotFound:
		return target == fs.ErrNotExist
	case Exists:
		return target == fs.ErrExist
	case Denied:
		return target == fs.ErrPermission
	case Unsupported:
		return target == errors.ErrUnsupported
	default:
		return false
	}
}

// Temporary reports whether the same call may succeed a little later.
func (k Kind) Temporary() bool { return k == Throttled || k == Unavailable }

// Op names a method or a feature of the contract, for errors, metrics and fault scripts.
type Op string

const (
	OpStat           Op = "stat"
	OpOpen           Op = "open"
	OpPut            Op = "put"
	OpDelete         Op = "delete"
	OpList           Op = "list"
	OpCreateUpload   Op = "create-upload"
	OpPutPart        Op = "put-part"
	OpCompleteUpload Op = "complete-upload"
	OpAbortUpload    Op = "abort-upload"
	OpListUploads    Op = "list-uploads"
	OpSign           Op = "sign"
	OpCopy           Op = "copy"
	OpCopyPart       Op = "copy-part"
	OpDeleteBatch    Op = "delete-batch"
	OpConcat         Op = "concat"
)

// Changes reports whether a call of op that was carried out leaves the store
// different.
func (op Op) Changes() bool {
	switch op {
	case OpStat, OpOpen, OpList, OpListUploads, OpSign:
		return false
	default:
		return true
	}
}

// Error is how every driver reports a failure. It says what was being done to
// which key, and never carries a credential or a signed URL's query.
type Error struct {
	Op   Op
	Key  string
	Kind Kind
	// OutcomeUnknown is set when the store may have carried out the call all the same:
	// the reply was lost. Look before you retry a call that is not idempotent.
	OutcomeUnknown bool
	// KeyOnly is set on a Throttled error when the store limits how often this key is
	// written: other keys are not affected. RetryAfter is then at least the interval
	// that the store documents.
	KeyOnly bool
	// RetryAfter is how long the store asked to wait; 0 when it didn't say.
	RetryAfter time.Duration
	Status     int    // HTTP status; 0 when there was no reply
	Code       string // the store's own error code
	RequestID  string // for the provider's support
	// OtherThanPermission is set on a Denied error that no permission would mend: keys that
	// are wrong or have ended, a key of the key service, the account.
	OtherThanPermission bool
	Err                 error // the cause, may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q: %s", e.Op, e.Key, e.Kind)
	var facts []string
	if e.Code != "" {
		facts = append(facts, e.Code)
	}
	if e.Status != 0 {
		facts = append(facts, fmt.Sprintf("status %d", e.Status))
	}
	if e.RequestID != "" {
		facts = append(facts, "request "+e.RequestID)
	}
	if e.KeyOnly {
		facts = append(facts, "this key only")
	}
	if e.OutcomeUnknown {
		facts = append(facts, "outcome unknown")
	}
	if len(facts) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(facts, ", "))
	}
	if _, bare := e.Err.(Kind); e.Err != nil && !bare { //nolint:errorlint // a Kind further in is worth telling
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap makes both the Kind and the cause reachable.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// KindOf classifies any error: that of the outermost *Error in its tree, else a
// bare Kind, else Unknown.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Unknown
}

// OutcomeUnknown reports whether the call that failed with err may have taken effect.
func OutcomeUnknown(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.OutcomeUnknown
}

// NewError builds the *Error of a call that failed for a reason found on this side,
// taking the Kind from the cause. An err that ctx ended keeps Kind Unknown and
// stays reachable by errors.Is.
func NewError(op Op, key string, err error) *Error {
	return &Error{Op: op, Key: key, Kind: KindOf(err), Err: err}
}

// IsContextError reports whether err comes from a context that was cancelled or ran out.
func IsContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
