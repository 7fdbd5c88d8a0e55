package integration_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// registerKind is what a key of a history names.
type registerKind int

const (
	tagRegister registerKind = iota
	manifestRegister
	blobRegister
)

func (k registerKind) String() string { return [...]string{"tag", "manifest", "blob"}[k] }

// operation is what a client does with a key.
type operation int

const (
	opPut operation = iota
	opRead
	opHead
	opDelete
	opDeleteDigest // of the manifest that a tag is, or was
)

func (o operation) String() string {
	return [...]string{"PUT", "GET", "HEAD", "DELETE", "DELETE by digest"}[o]
}

// registerName names one register.
type registerName struct {
	kind registerKind
	key  int
}

// event is an operation of a client, from its call to its return, by the time since the history
// began.
type event struct {
	registerName
	client  int
	process int // that answered
	op      operation
	began   time.Duration
	ended   time.Duration
	status  int    // of the answer; 0 where there is none
	value   string // that was put, or named, or that was found
	found   bool   // it was there
	trouble string // why there is no answer
}

// answered reports whether the outcome is known.
func (e event) answered() bool {
	return e.status != 0 && e.status < 500 && e.status != http.StatusTooManyRequests && e.status != http.StatusRequestTimeout
}

// returned is until when e may take effect.
func (e event) returned() time.Duration {
	if e.answered() {
		return e.ended
	}
	return never
}

// over is until when a replica may be at e.
func (e event) over() time.Duration {
	if e.status != 0 {
		return e.ended
	}
	return never
}

// lostReply is a write to the store whose reply a replica did not get.
type lostReply struct {
	process int
	at      time.Duration // it was sent
	fault   int           // that took it; of one fault a write loses one reply
	// abandoned is that the replica did not wait for the reply: the store may carry the write out
	// later.
	abandoned bool
}

// concerns reports whether the write may have been one of e's.
func (l lostReply) concerns(e event) bool {
	return l.process == e.process && l.at >= e.began && l.at <= e.over()
}

// history is what clients have done, and what was done to them.
type history struct {
	start time.Time

	mu     sync.Mutex
	events []event
	lost   []lostReply
	faults []faultWindow
}

// faultWindow is a fault, for the page that shows a history.
type faultWindow struct {
	slot     int
	name     string
	from, to time.Duration
}

func (f faultWindow) String() string { return fmt.Sprintf("%s of replica %d", f.name, f.slot) }

func (h *history) now() time.Duration { return time.Since(h.start) }

func (h *history) add(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *history) lose(l lostReply) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost = append(h.lost, l)
}

func (h *history) lostReplies() []lostReply {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lost)
}

func (h *history) fault(f faultWindow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, f)
}

// of is what was done with each key.
func (h *history) of() map[registerName][]event {
	all := make(map[registerName][]event)
	for _, e := range h.events {
		all[e.registerName] = append(all[e.registerName], e)
	}
	return all
}

// reset forgets all events.
func (h *history) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events, h.lost, h.faults = nil, nil, nil
}

func (h *history) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.events)
}

// counts tells what a history has.
func (h *history) counts() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	open := 0
	for _, e := range h.events {
		if !e.answered() {
			open++
		}
	}
	return fmt.Sprintf("%d operations, %d without an answer, %d replies lost", len(h.events), open, len(h.lost))
}

// annotations are the faults, for a page.
func (h *history) annotations() (all []porcupine.Annotation) {
	for _, f := range h.faults {
		all = append(all, porcupine.Annotation{Tag: "faults", Start: int64(f.from), End: int64(f.to), Description: f.String()})
	}
	return all
}

// listed is events by the time when they began.
func listed(events []event) string {
	events = slices.SortedFunc(slices.Values(events), func(a, b event) int { return cmp.Compare(a.began, b.began) })
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}
