package driver

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Check returns an Invalid error when both fields of c are set.
func (c Cond) Check() error {
	if c.IfAbsent && c.IfMatch != "" {
		return fmt.Errorf("condition: IfAbsent and IfMatch exclude each other: %w", Invalid)
	}
	return nil
}

// CheckMetadata returns an Invalid error for metadata that not every store
// keeps: keys are lower case letters, digits and "-", values printable ASCII
// without spaces at their ends.
func CheckMetadata(m map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !metadataKey(k) {
			return fmt.Errorf("metadata key %q: want lower case letters, digits and \"-\": %w", k, Invalid)
		}
		if !metadataValue(m[k]) {
			return fmt.Errorf("metadata value %q of key %q: want printable ASCII without spaces at its ends: %w", m[k], k, Invalid)
		}
	}
	return nil
}

func metadataKey(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

func metadataValue(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// Check returns an Invalid error for options that contradict themselves or
// carry metadata that not every store keeps.
func (o WriteOptions) Check() error {
	if err := o.Cond.Check(); err != nil {
		return err
	}
	if n := len(o.SHA256); n != 0 && n != 32 {
		return fmt.Errorf("SHA256 has %d bytes, want 32: %w", n, Invalid)
	}
	return CheckMetadata(o.Metadata)
}

// CheckUpload is Check for CreateUpload, which takes neither condition nor digest.
func (o WriteOptions) CheckUpload() error {
	switch {
	case !o.Cond.IsZero():
		return fmt.Errorf("the condition of an upload in parts belongs to its completion: %w", Invalid)
	case len(o.SHA256) > 0:
		return fmt.Errorf("an upload in parts takes no SHA256: %w", Invalid)
	}
	return o.Check()
}

// Check returns an Invalid error for a listing that not every store can do.
func (q ListRequest) Check() error {
	switch {
	case q.Delimiter != "" && q.Delimiter != "/":
		return fmt.Errorf("delimiter %q: want \"/\" or none: %w", q.Delimiter, Invalid)
	case q.Limit < 0:
		return fmt.Errorf("limit %d: must not be negative: %w", q.Limit, Invalid)
	}
	return nil
}

// CheckUploads is Check for a listing of uploads, which has no common prefixes.
func (q ListRequest) CheckUploads() error {
	if q.Delimiter != "" {
		return fmt.Errorf("delimiter %q: a listing of uploads takes none: %w", q.Delimiter, Invalid)
	}
	return q.Check()
}

// PageSize is how many entries the page may have.
func (q ListRequest) PageSize() int {
	if q.Limit == 0 {
		return MaxPage
	}
	return min(q.Limit, MaxPage)
}

// CheckDelete returns Unsupported for options that c does not honour, and Invalid
// for a NotAfter that is less than a second away from now. Stores that take a
// version also where c.Delete lacks CondIfMatch call it without IfVersion.
func (c Conds) CheckDelete(o DeleteOptions, now time.Time) error {
	switch {
	case !c.Delete.Allows(Cond{IfMatch: o.IfVersion}):
		return fmt.Errorf("version %q: the store does not compare it on a delete: %w", o.IfVersion, Unsupported)
	case o.NotAfter.IsZero():
		return nil
	case !c.DeleteNotAfter:
		return fmt.Errorf("the store executes a delete at any time, NotAfter can't bound it: %w", Unsupported)
	}
	return o.checkTime(now)
}

func (o DeleteOptions) checkTime(now time.Time) error {
	if left := o.NotAfter.Sub(now); left < time.Second {
		return fmt.Errorf("NotAfter leaves %v to delete the object, at least a second is needed: %w", left, Invalid)
	}
	return nil
}

// CheckBatch returns Invalid for more refs than f.BatchMax, and Unsupported for a
// version where f does not honour versions in a batch.
func (f Features) CheckBatch(refs []ObjectRef) error {
	if len(refs) > f.BatchMax {
		return fmt.Errorf("%d keys, one request takes at most %d: %w", len(refs), f.BatchMax, Invalid)
	}
	for _, r := range refs {
		if r.Version != "" && !f.Conds.DeleteBatch {
			return fmt.Errorf("version %q of %q: %s compares no versions in a batch: %w", r.Version, r.Key, f.Name, Unsupported)
		}
	}
	return nil
}

// CheckPart returns an Invalid error for a part that l does not admit.
func (l PartLimits) CheckPart(n int, size int64) error {
	switch {
	case n < 1 || n > l.MaxParts:
		return fmt.Errorf("part number %d: want 1 to %d: %w", n, l.MaxParts, Invalid)
	case size > l.MaxSize:
		return fmt.Errorf("part %d has %d bytes, at most %d are allowed: %w", n, size, l.MaxSize, Invalid)
	}
	return nil
}

// CheckComplete returns an Invalid error for a list of parts that l does not
// admit: none, not numbered 1, 2, 3 and so on, or of the wrong sizes.
func (l PartLimits) CheckComplete(parts []Part) error {
	if len(parts) == 0 {
		return fmt.Errorf("no parts to complete: %w", Invalid)
	}
	var total int64
	for i, p := range parts {
		if err := l.CheckPart(p.Number, p.Size); err != nil {
			return err
		}
		last := i == len(parts)-1
		switch {
		case p.Number != i+1:
			return fmt.Errorf("part %d is named where part %d belongs: %w", p.Number, i+1, Invalid)
		case !last && p.Size < l.MinSize:
			return fmt.Errorf("part %d has %d bytes, all but the last need %d: %w", p.Number, p.Size, l.MinSize, Invalid)
		case l.Uniform && !last && p.Size != parts[0].Size:
			return fmt.Errorf("part %d has %d bytes and part %d has %d, but they must be equal: %w",
				parts[0].Number, parts[0].Size, p.Number, p.Size, Invalid)
		case l.Uniform && p.Size > parts[0].Size:
			return fmt.Errorf("the last part %d is larger than the others: %w", p.Number, Invalid)
		}
		total += p.Size
	}
	if total > l.MaxObject {
		return fmt.Errorf("an object of %d bytes: at most %d are allowed: %w", total, l.MaxObject, Invalid)
	}
	return nil
}

// CheckPut returns an Invalid error for a body that one Put does not take.
func (l PartLimits) CheckPut(size int64) error {
	if size > l.MaxPut {
		return fmt.Errorf("body has %d bytes, one request takes at most %d: %w", size, l.MaxPut, Invalid)
	}
	return nil
}

// Check returns an Invalid error for options or a source range that no copy has.
func (r CopyRequest) Check() error {
	if r.Src.Range != (Range{}) {
		return fmt.Errorf("a copy takes the whole of its source, not a range: %w", Invalid)
	}
	o := r.Options
	o.SHA256 = nil // ignored
	return o.Check()
}

// Check returns an Invalid error for options or sizes that no concatenation has,
// and for an object larger than l admits.
func (r ConcatRequest) Check(l PartLimits) error {
	for _, s := range r.Sources {
		if s.Size < 0 {
			return fmt.Errorf("source %q has the size %d: %w", s.Key, s.Size, Invalid)
		}
		if s.Size > l.MaxObject {
			return l.Fits(s.Size) // the sum could overflow
		}
	}
	if err := l.Fits(r.Size()); err != nil {
		return err
	}
	o := r.Options
	o.SHA256 = nil // ignored
	return o.Check()
}

// Check returns an error for what can't be signed: Invalid for an expiry below a
// second, Unsupported for another method than GET, HEAD and PUT.
func (r SignRequest) Check() error {
	switch {
	case r.Expires < time.Second:
		return fmt.Errorf("expiry in %v: want a second at least: %w", r.Expires, Invalid)
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPut:
		return fmt.Errorf("method %q: only GET, HEAD and PUT can be signed: %w", r.Method, Unsupported)
	}
	return nil
}

// CheckRead is Check for stores where a PUT can't be signed.
func (r SignRequest) CheckRead() error {
	if r.Method == http.MethodPut {
		return fmt.Errorf("method %q: only GET and HEAD can be signed: %w", r.Method, Unsupported)
	}
	return r.Check()
}
