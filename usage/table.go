package usage

import (
	"iter"

	"github.com/blobdock/blobdock/internal/survey"
)

// blob is 16 bytes, as there may be many.
type blob struct {
	size             int64
	repository, team owner
}

// owner is an index of owners.repositories or owners.teams, plus one.
type owner uint32

const (
	nobody  owner = 0
	several owner = 1<<32 - 1
)

// chunkSize is how many blobs are allocated at a time: a slice that grows would be in memory
// twice.
const chunkSize = 1 << 14

// table is all blobs of the bucket, in the order of their IDs.
type table struct {
	chunks [][]blob
	n      int
}

// add adds a blob that has the next ID; one that is listed twice is replaced.
func (t *table) add(id survey.ID, size int64) {
	if b := t.get(id); b != nil {
		b.size = size
		return
	}
	if t.n%chunkSize == 0 {
		t.chunks = append(t.chunks, make([]blob, chunkSize))
	}
	t.n++
	t.get(id).size = size
}

// get is nil where there is no such blob.
func (t *table) get(id survey.ID) *blob {
	if int(id) >= t.n {
		return nil
	}
	return &t.chunks[id/chunkSize][id%chunkSize]
}

func (t *table) all() iter.Seq2[survey.ID, blob] {
	return func(yield func(survey.ID, blob) bool) {
		for i := range t.n {
			if !yield(survey.ID(i), *t.get(survey.ID(i))) {
				return
			}
		}
	}
}
