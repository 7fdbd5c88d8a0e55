package laws

import (
	"slices"
	"sync"
)

// nameLocks holds a mutex for each name that is in use.
type nameLocks struct {
	mu   sync.Mutex
	used map[string]*nameLock
}

type nameLock struct {
	sync.Mutex
	users int
}

// lock waits for all names, and returns what lets them go. All callers take names in the
// same order, so that none waits for another forever.
func (l *nameLocks) lock(names ...string) (unlock func()) {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		l.enter(name).Lock()
	}
	return func() {
		for _, name := range names {
			l.leave(name).Unlock()
		}
	}
}

func (l *nameLocks) enter(name string) *nameLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used == nil {
		l.used = make(map[string]*nameLock)
	}
	lock := l.used[name]
	if lock == nil {
		lock = new(nameLock)
		l.used[name] = lock
	}
	lock.users++
	return lock
}

func (l *nameLocks) leave(name string) *nameLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	lock := l.used[name]
	if lock.users--; lock.users == 0 {
		delete(l.used, name)
	}
	return lock
}
