package cloud

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Clock is a store's clock, as its replies tell it by their Date. The zero value is this
// machine's, until a reply has been noted.
type Clock struct{ ahead atomic.Int64 } // how much it is ahead of this machine's, in ns

// resolution is what the Date of a reply can't tell: it has whole seconds, and takes a
// while to arrive.
const resolution = 3 * time.Second

// Now is the store's time. It may be called by several goroutines at once.
func (c *Clock) Now() time.Time { return time.Now().Add(c.Ahead()) }

// Ahead is how much the store's clock is ahead of this machine's.
func (c *Clock) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }

func (c *Clock) note(h http.Header) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	ahead := time.Until(date)
	if ahead.Abs() < resolution {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
}
