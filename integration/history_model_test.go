package integration_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Each key of a history is a register: a tag is a digest or absent, a manifest and a blob of a
// repository are there or absent. docs/reliability.md has the promise, of which this file is the
// exact form.

// absent is the value of a register that holds nothing, there that of one without digests.
const (
	absent = ""
	there  = "there"
)

// action is what a step does to a register.
type action int

const (
	sees      action = iota // the register holds the value
	sets                    // it holds the value from then on
	unsets                  // it holds nothing from then on
	unsetsOne               // the same, if it holds the value
)

// step is what takes effect at one moment between an operation's call and its return.
type step struct {
	action action
	value  string
}

// register is porcupine's model of one key.
var register = porcupine.Model{
	Init: func() any { return absent },
	Step: func(state, input, _ any) (bool, any) {
		held, s := state.(string), input.(step) //nolint:forcetypeassert // as Init and stepsOf make them
		switch s.action {
		case sets:
			return true, s.value
		case unsets:
			return true, absent
		case unsetsOne:
			if held == s.value {
				return true, absent
			}
			return true, held
		default:
			return held == s.value, held
		}
	},
	DescribeState:     func(state any) string { return cmp.Or(short(state.(string)), "absent") }, //nolint:forcetypeassert // as above
	DescribeOperation: func(input, _ any) string { return input.(step).String() },                //nolint:forcetypeassert // as above
	DescribeOperationMetadata: func(info any) string {
		if e, ok := info.(event); ok {
			return e.String()
		}
		return ""
	},
}

func (s step) String() string {
	v := cmp.Or(short(s.value), "absent")
	switch s.action {
	case sets:
		return "set " + v
	case unsets:
		return "unset"
	case unsetsOne:
		return "unset if " + v
	default:
		return "sees " + v
	}
}

// never is when an operation returns whose outcome nobody knows: it may take effect at any later
// time, which after the last look is the same as never.
const never = time.Duration(math.MaxInt64)

// stepsOf turns what clients have seen of one key into porcupine's operations.
//
//   - A replica answers a GET of a manifest by digest, or of a blob, from its cache for up to ttl
//     after it has found it, except after a deletion through this replica. The GET then takes effect
//     as early as what filled the cache may have. A HEAD, a tag, and a 404 are never answered so.
//   - A write whose reply from the store was lost is sent again: it takes effect once more, at most
//     as often as replies were lost, before it is answered.
//   - A write without an answer takes effect at any later time, or never.
//   - Two deletions of one manifest or blob at a time are both told that they deleted it: looking
//     for it is a step of its own, which the cache may answer for a blob.
func stepsOf(events []event, lost []lostReply, ttl time.Duration) []porcupine.Operation {
	var all []porcupine.Operation
	for _, e := range events {
		add := func(from, to time.Duration, s step) {
			all = append(all, porcupine.Operation{ClientId: e.client, Input: s, Call: int64(from), Return: int64(to), Metadata: e})
		}
		write := func(s step) {
			add(e.began, e.returned(), s)
			again := make(map[lostReply]bool)
			for _, l := range lost {
				once := lostReply{fault: l.fault, abandoned: l.abandoned}
				if !l.concerns(e) || again[once] {
					continue
				}
				again[once] = true
				if l.abandoned { // the store may carry it out whenever it likes
					add(e.began, never, s)
				} else {
					add(e.began, e.returned(), s)
				}
			}
		}
		switch e.op {
		case opPut:
			write(step{sets, e.value})
		case opRead, opHead:
			if e.answered() {
				add(e.sighted(events, ttl), e.ended, step{sees, e.value})
			}
		case opDelete:
			switch {
			case !e.answered():
				write(step{unsets, absent})
			case !e.found:
				add(e.began, e.ended, step{sees, absent})
			default:
				if e.kind != tagRegister { // pushes and deletions of a tag that ended early leave traces of it
					add(e.sighted(events, ttl), e.ended, step{sees, there})
				}
				write(step{unsets, absent})
			}
		case opDeleteDigest:
			if !e.answered() || e.found {
				write(step{unsetsOne, e.value})
			}
		}
	}
	return unread(all)
}

// sighted is the earliest moment that the answer to e may tell of.
func (e event) sighted(events []event, ttl time.Duration) time.Duration {
	byCache := e.kind == blobRegister && e.op == opDelete || e.kind != tagRegister && e.op == opRead
	if !byCache || e.value == absent || ttl == 0 {
		return e.began
	}
	earliest := e.began
	for _, o := range events {
		// What was found before was looked up, or put, by a request to the same process.
		if o.process == e.process && o.op != opDelete && o.began < e.began && o.over() >= e.began-ttl {
			earliest = min(earliest, o.began)
		}
	}
	for _, o := range events {
		if o.process == e.process && o.op == opDelete && o.answered() && o.ended < e.began {
			earliest = max(earliest, o.ended+1) // porcupine takes what touches for simultaneous
		}
	}
	return earliest
}

// unread leaves out writes without an answer that make no difference, as nobody has seen their
// value, or deleted it by its name. Porcupine would try each of them everywhere.
func unread(all []porcupine.Operation) []porcupine.Operation {
	named, set := make(map[string]bool), make(map[string]bool)
	each := func(drop func(s step, open bool) bool) {
		all = slices.DeleteFunc(all, func(o porcupine.Operation) bool {
			return drop(o.Input.(step), o.Return == int64(never)) //nolint:forcetypeassert // as stepsOf makes them
		})
	}
	each(func(s step, _ bool) bool {
		named[s.value] = named[s.value] || s.action == sees || s.action == unsetsOne
		return false
	})
	each(func(s step, open bool) bool {
		drop := open && s.action == sets && !named[s.value]
		set[s.value] = set[s.value] || s.action == sets && !drop
		return drop
	})
	each(func(s step, _ bool) bool { return s.action == unsetsOne && !set[s.value] })
	return all
}

// short is as much of a digest as tells it from others.
func short(value string) string {
	if len(value) > 19 {
		return value[7:19]
	}
	return value
}

// String is what an operation was, and what it was answered.
func (e event) String() string {
	ended := "no answer"
	if e.status != 0 {
		ended = fmt.Sprintf("%d at %v", e.status, e.ended.Round(time.Microsecond))
	}
	return fmt.Sprintf("%s of %s %d, %s, by process %d, %v: %s %s", e.op, e.kind, e.key, cmp.Or(short(e.value), "absent"), e.process, e.began.Round(time.Microsecond), ended, e.trouble)
}
