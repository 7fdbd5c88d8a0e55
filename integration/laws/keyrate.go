package laws

import (
	"sync"
	"time"
)

// KeyRate is how often one key may be written to. The zero value is the documented one
// write a second, without bursts.
type KeyRate struct {
	Interval time.Duration // between writes; 0 is 1 s
	Burst    int           // writes that may follow one another at once; 0 is 1
}

// keyLimiter is a token bucket for each key.
type keyLimiter struct {
	interval time.Duration
	burst    float64

	mu   sync.Mutex
	keys map[string]tokens
}

type tokens struct {
	left float64
	at   time.Time
}

func newKeyLimiter(r KeyRate) *keyLimiter {
	l := &keyLimiter{interval: r.Interval, burst: float64(r.Burst), keys: make(map[string]tokens)}
	if l.interval == 0 {
		l.interval = time.Second
	}
	l.burst = max(l.burst, 1)
	return l
}

// allow reports whether key may be written to now, and counts the write if so.
func (l *keyLimiter) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	t, ok := l.keys[key]
	if !ok {
		t = tokens{l.burst, now}
	}
	t.left = min(l.burst, t.left+float64(now.Sub(t.at))/float64(l.interval))
	t.at = now
	allowed := t.left >= 1
	if allowed {
		t.left--
	}
	l.keys[key] = t
	return allowed
}
