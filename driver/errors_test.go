package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
)

func allKinds() []Kind {
	var kinds []Kind
	for k := Unknown; k < numKinds; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

func TestKindNames(t *testing.T) {
	seen := map[string]Kind{}
	for _, k := range allKinds() {
		name := k.String()
		if name == "" || strings.HasPrefix(name, "kind ") {
			t.Errorf("kind %d has no name", uint8(k))
		}
		if other, dup := seen[name]; dup {
			t.Errorf("kinds %d and %d are both %q", other, k, name)
		}
		seen[name] = k
		if k.Error() != name {
			t.Errorf("Error of %q is %q", name, k.Error())
		}
		if want := k == Throttled || k == Unavailable; k.Temporary() != want {
			t.Errorf("%v.Temporary() = %t", k, k.Temporary())
		}
	}
	if got := Kind(200).String(); got != "kind 200" {
		t.Errorf("unknown number is %q", got)
	}
}

// TestErrorIs is the matrix of kinds against what errors.Is may be asked for.
func TestErrorIs(t *testing.T) {
	std := map[Kind]error{NotFound: fs.ErrNotExist, Exists: fs.ErrExist, Denied: fs.ErrPermission, Unsupported: errors.ErrUnsupported}
	for _, have := range allKinds() {
		for shape, err := range map[string]error{
			"kind":    have,
			"error":   &Error{Op: OpPut, Key: "k", Kind: have},
			"caused":  &Error{Op: OpPut, Key: "k", Kind: have, Err: io.ErrUnexpectedEOF},
			"wrapped": fmt.Errorf("layer: %w", &Error{Op: OpPut, Key: "k", Kind: have}),
			"fail":    NewError(OpPut, "k", fmt.Errorf("why: %w", have)),
		} {
			for _, ask := range allKinds() {
				if got := errors.Is(err, ask); got != (have == ask) {
					t.Errorf("%s of %v: Is(%v) = %t", shape, have, ask, got)
				}
			}
			for kind, target := range std {
				if got := errors.Is(err, target); got != (have == kind) {
					t.Errorf("%s of %v: Is(%v) = %t", shape, have, target, got)
				}
			}
			if got := KindOf(err); got != have {
				t.Errorf("%s: KindOf = %v, want %v", shape, got, have)
			}
			if got := errors.Is(err, io.ErrUnexpectedEOF); got != (shape == "caused") {
				t.Errorf("%s of %v: Is(cause) = %t", shape, have, got)
			}
		}
	}
}

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Kind
	}{
		{nil, Unknown},
		{io.EOF, Unknown},
		{context.Canceled, Unknown},
		{NoBucket, NoBucket},
		{fmt.Errorf("a: %w", Corrupt), Corrupt},
		// The outermost *Error counts, whatever it was caused by.
		{&Error{Kind: Unavailable, Err: NotFound}, Unavailable},
		{&Error{Kind: Denied, Err: &Error{Kind: NotFound}}, Denied},
		{errors.Join(io.EOF, &Error{Kind: Throttled}), Throttled},
	} {
		if got := KindOf(tt.err); got != tt.want {
			t.Errorf("KindOf(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

func TestOutcomeUnknown(t *testing.T) {
	lost := &Error{Kind: Unavailable, OutcomeUnknown: true}
	for _, tt := range []struct {
		err  error
		want bool
	}{{nil, false}, {io.EOF, false}, {Unavailable, false}, {lost, true}, {fmt.Errorf("a: %w", lost), true}, {&Error{}, false}} {
		if got := OutcomeUnknown(tt.err); got != tt.want {
			t.Errorf("OutcomeUnknown(%v) = %t", tt.err, got)
		}
	}
}

func TestEnded(t *testing.T) {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		err := error(NewError(OpOpen, "k", fmt.Errorf("get: %w", cause)))
		if !IsContextError(err) || !errors.Is(err, cause) || KindOf(err) != Unknown {
			t.Errorf("%v: IsContextError %t, kind %v", err, IsContextError(err), KindOf(err))
		}
	}
	if IsContextError(Unavailable) || IsContextError(nil) {
		t.Error("IsContextError without a context")
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  *Error
		want string
	}{
		{&Error{Op: OpStat, Key: "a b", Kind: NotFound}, `stat "a b": not found`},
		{NewError(OpStat, "k", NotFound), `stat "k": not found`},
		{&Error{Op: OpPut, Key: "k", Kind: Unavailable, Status: 503, Code: "SlowDown", RequestID: "R1", OutcomeUnknown: true, Err: io.ErrUnexpectedEOF},
			`put "k": store unavailable (SlowDown, status 503, request R1, outcome unknown): unexpected EOF`},
		{&Error{Op: OpPut, Key: "line\n", Kind: Invalid}, `put "line\n": invalid request`},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}
