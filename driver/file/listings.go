package file

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
)

const (
	// maxListings is how many listings are kept that may go on.
	maxListings = 64
	// maxNames bounds the names in them, at some 40 bytes each.
	maxNames = 1 << 20
)

// listings keep what a page has read and not delivered for the page behind it, so that a
// large folder is read once for a listing and not once for a page. A listing that is not
// kept any more reads its folders again.
type listings struct {
	mu   sync.Mutex
	kept []keptListing // the oldest first
}

// place is where a page ended.
type place struct {
	rest  map[string][]name
	first string
}

func (p place) names() (n int) {
	for _, names := range p.rest {
		n += len(names)
	}
	return n
}

type keptListing struct {
	id string
	place
}

// keep returns token with the name that take finds p by. It belongs to one listing alone:
// another one that begins later must see what was written meanwhile.
func (l *listings) keep(token string, p place) string {
	k := keptListing{rand.Text(), p}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, k)
	names := 0
	for i, k := range slices.Backward(l.kept) {
		if names += k.names(); len(l.kept)-i > maxListings || names > maxNames {
			l.kept = slices.Delete(l.kept, 0, i+1)
			break
		}
	}
	return token + "." + k.id
}

// take returns what was kept for a token, and the token as it was.
func (l *listings) take(token string) (string, place) {
	token, id, ok := strings.Cut(token, ".")
	if !ok {
		return token, place{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.kept, func(k keptListing) bool { return k.id == id })
	if i < 0 {
		return token, place{}
	}
	p := l.kept[i].place
	l.kept = slices.Delete(l.kept, i, i+1)
	return token, p
}
