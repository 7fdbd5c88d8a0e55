package fault

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// Point is a place at which a scenario is made to fail.
type Point struct {
	Number int       // of the call in the scenario, from 1
	Op     driver.Op // of the call
	Key    string    // of the call, when the scenario was recorded
	Nth    int       // of the calls with this Op, from 1
	Where  Where
	size   int64 // of the body, for MidBody
}

// String names the point without its key, which may differ from run to run.
func (p Point) String() string {
	return fmt.Sprintf("%02d-%s-%d-%s", p.Number, p.Op, p.Nth, p.Where)
}

// rule makes the call at p fail once.
func (p Point) rule() Rule {
	return Rule{Op: p.Op, Nth: p.Nth, Where: p.Where, Offset: p.size / 2}
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
	points, err := record(newBucket(), scenario)
	if err != nil {
		t.Fatalf("the scenario fails by itself: %v", err)
	}
	for _, p := range points {
		t.Run(p.String(), func(t *testing.T) {
			t.Logf("%s of %q fails %s", p.Op, p.Key, p.Where)
			b := newBucket()
			defer func() { _ = b.Close() }()
			play := &player{script: Script{p.rule()}, seen: make([]int, 1)}
			err := scenario(driver.Wrap(b, play.around))
			play.mu.Lock()
			seen := play.seen[0]
			play.mu.Unlock()
			if seen < p.Nth {
				t.Fatalf("the scenario made %d calls of %s, the recorded one made more", seen, p.Op)
			}
			check(t, b, p, err)
		})
	}
}

// record lists the points of a scenario.
func record(b driver.Bucket, scenario func(b driver.Bucket) error) ([]Point, error) {
	defer func() { _ = b.Close() }()
	var mu sync.Mutex
	var points []Point
	calls := 0
	byOp := map[driver.Op]int{}
	bodies := map[driver.Op]int{} // calls with a body, which are those that MidBody counts
	err := scenario(driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		mu.Lock()
		calls++
		byOp[c.Op]++
		p := Point{Number: calls, Op: c.Op, Key: c.Key, Nth: byOp[c.Op]}
		points = append(points, p)
		if c.Op.Changes() {
			p.Where = After
			points = append(points, p)
		}
		if c.Body != nil || c.Op == driver.OpOpen {
			bodies[c.Op]++
			p.Where, p.Nth = MidBody, bodies[c.Op]
			if c.Body != nil {
				p.size = c.Body.Size()
			}
			points = append(points, p)
		}
		mu.Unlock()
		return next(ctx)
	}))
	return points, err
}
