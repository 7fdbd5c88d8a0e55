package cloud

import (
	"net/http"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	for _, tt := range []struct {
		name string
		date string
		want time.Duration // ahead
	}{
		{"ahead", time.Now().Add(25 * time.Hour).UTC().Format(http.TimeFormat), 25 * time.Hour},
		{"behind", time.Now().Add(-90 * time.Minute).UTC().Format(http.TimeFormat), -90 * time.Minute},
		{"equal", time.Now().UTC().Format(http.TimeFormat), 0},
		{"none", "", 0},
		{"no date", "tomorrow", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Clock
			c.note(http.Header{"Date": {tt.date}})
			if got := time.Until(c.Now()); (got - tt.want).Abs() > 10*time.Second {
				t.Errorf("%v ahead, want %v", got, tt.want)
			}
			if tt.want == 0 && c.ahead.Load() != 0 {
				t.Errorf("%v ahead, want this machine's clock", time.Duration(c.ahead.Load()))
			}
			c.note(http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}})
			if ahead := c.ahead.Load(); ahead != 0 {
				t.Errorf("%v ahead once the clocks agree", time.Duration(ahead))
			}
		})
	}
}
