package fault

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Failure is a way for a call to fail. Op, Key and Nth of its Rule are those of the
// call, and so is Offset, which is in the middle of the body.
type Failure struct {
	Name string
	Rule Rule
	// OfAnswers has it befall only calls whose answer has a body.
	OfAnswers bool
}

// Failures are all ways to fail. The first three are what EachPoint goes by.
//
// Those that stand still do so until the context ends, so a scenario must set
// itself a deadline.
var Failures = []Failure{
	{Name: "before", Rule: Rule{Where: Before}},
	{Name: "after", Rule: Rule{Where: After}},
	{Name: "mid-body", Rule: Rule{Where: MidBody}},
	{Name: "throttled", Rule: Rule{Where: Before, Kind: driver.Throttled}},
	{Name: "truncated", Rule: Rule{Where: MidBody, Truncate: true}, OfAnswers: true},
	{Name: "late", Rule: Rule{Where: Before, Delay: time.Hour}},
	{Name: "late-answer", Rule: Rule{Where: After, Delay: time.Hour}},
}

// Point is a place at which a scenario is made to fail.
type Point struct {
	Number  int       // of the call in the scenario, from 1
	Op      driver.Op // of the call
	Key     string    // of the call, when the scenario was recorded
	Nth     int       // of the calls with this Op (and a body, where that fails), from 1
	Failure Failure
	size    int64 // of the body, sent or delivered
}

// String names the point without its key, which may differ from run to run.
func (p Point) String() string {
	return fmt.Sprintf("%02d-%s-%d-%s", p.Number, p.Op, p.Nth, p.Failure.Name)
}

// rule makes the call at p fail once.
func (p Point) rule() Rule {
	r := p.Failure.Rule
	r.Op, r.Nth, r.Offset = p.Op, p.Nth, p.size/2
	return r
}

// Trial is a scenario on a bucket of its own.
type Trial struct {
	Bucket driver.Bucket
	// Run is the scenario, on Bucket with a fault in it.
	Run func(b driver.Bucket) error
	// Check judges Bucket, which fails no more, and what Run returned.
	Check func(t *testing.T, p Point, err error)
}

// EachPoint runs scenario once to see which calls it makes, and then again on a
// new bucket for every one of them, making that call fail: before it is carried
// out, after it was (where that makes a difference), and in the middle of its
// body (where it has one). check then judges the bucket, which fails no more, and
// the error that scenario returned. Each point is a sub-test of its name.
//
// The scenario must succeed on a bucket that does not fail, and make the calls of
// each verb in the same order each time. At a point that fails it may go on, and
// even succeed: that is what retries are for.
func EachPoint(t *testing.T, newBucket func() driver.Bucket, scenario func(b driver.Bucket) error,
	check func(t *testing.T, b driver.Bucket, p Point, err error)) {
	t.Helper()
	trial := func(testing.TB) Trial {
		b := newBucket()
		return Trial{Bucket: b, Run: scenario, Check: func(t *testing.T, p Point, err error) { check(t, b, p, err) }}
	}
	for _, p := range Points(t, Failures[:3], trial) {
		t.Run(p.String(), func(t *testing.T) { p.Play(t, trial(t)) })
	}
}

// Points are the places of a scenario at which it can fail in one of the ways.
func Points(t testing.TB, failures []Failure, trial func(t testing.TB) Trial) []Point {
	t.Helper()
	calls, err := record(trial(t))
	if err != nil {
		t.Fatalf("the scenario fails by itself: %v", err)
	}
	var points []Point
	for _, c := range calls {
		for _, f := range failures {
			p := c.Point
			p.Failure = f
			switch {
			case f.OfAnswers && c.Op != driver.OpOpen,
				f.Rule.Where == MidBody && c.nthBody == 0,
				f.Rule.Where == After && !c.Op.Changes():
				continue
			case f.Rule.Where == MidBody:
				p.Nth = c.nthBody
			}
			points = append(points, p)
		}
	}
	return points
}

// Play runs a trial that fails at p, and judges it.
func (p Point) Play(t *testing.T, trial Trial) {
	t.Helper()
	t.Logf("%s of %q: %s", p.Op, p.Key, p.Failure.Name)
	defer func() { _ = trial.Bucket.Close() }()
	play := &player{script: Script{p.rule()}, seen: make([]int, 1)}
	err := trial.Run(driver.Wrap(trial.Bucket, play.around))
	play.mu.Lock()
	seen := play.seen[0]
	play.mu.Unlock()
	if seen < p.Nth {
		t.Fatalf("the scenario made %d calls of %s, the recorded one made more", seen, p.Op)
	}
	trial.Check(t, p, err)
}

// recorded is a call of a scenario.
type recorded struct {
	Point
	nthBody int // among those calls of its Op that have a body, from 1; 0 without one
}

// record lists the calls of a scenario.
func record(trial Trial) (calls []recorded, err error) {
	defer func() { _ = trial.Bucket.Close() }()
	var mu sync.Mutex
	byOp := map[driver.Op]int{}
	bodies := map[driver.Op]int{}
	err = trial.Run(driver.Wrap(trial.Bucket, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		mu.Lock()
		byOp[c.Op]++
		r := recorded{Point: Point{Number: len(calls) + 1, Op: c.Op, Key: c.Key, Nth: byOp[c.Op]}}
		if c.Body != nil || c.Op == driver.OpOpen {
			bodies[c.Op]++
			r.nthBody = bodies[c.Op]
		}
		if c.Body != nil {
			r.size = c.Body.Size()
		}
		at := len(calls)
		calls = append(calls, r)
		mu.Unlock()
		err := next(ctx)
		if err == nil && c.Reader != nil {
			mu.Lock()
			calls[at].size = c.Reader.Range.Len
			mu.Unlock()
		}
		return err
	}))
	mu.Lock()
	defer mu.Unlock()
	return calls, err
}
