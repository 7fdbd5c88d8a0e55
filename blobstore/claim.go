package blobstore

import (
	"context"
	"fmt"

	"github.com/blobdock/blobdock/driver"
)

// Part numbers are claimed in batches that double while a body of unknown
// length goes on: few claims for a long one, few wasted numbers for a short one.
const (
	firstBatch = 8
	lastBatch  = 128
)

// claim reserves part numbers for this writer alone. It writes the session for that: as
// it was, with its tail, which the buffer begins with; or, where parts have been sent
// since, as it is now, with all of the buffer.
func (st *stage) claim(ctx context.Context, left int64) error {
	img, tail := *st.sess, []byte(nil)
	if st.buf != nil {
		tail = st.buf.bytes()
	}
	if len(st.parts) == len(st.sess.Parts) {
		tail = tail[:st.sess.Tail]
	} else {
		if err := st.settle(ctx, false); err != nil {
			return err
		}
		var err error
		if img, err = st.image(); err != nil {
			return err
		}
	}
	count := st.batch
	st.batch = min(2*st.batch, lastBatch)
	if left >= 0 {
		// The parts that will flow, and one for the last bytes: Commit sends them, or
		// the end of the request does, if they are enough.
		count = 2
		for rest := left - st.plan.Size(st.next+1); rest > 0; rest -= st.plan.Size(st.next + count - 1) {
			count++
		}
	}
	room := st.store.features.Parts.MaxParts - st.next + 1
	if room < 2 { // this one, and the one that Commit sends
		return fmt.Errorf("blob exceeds the %d parts of at most %d bytes that fit: raise part_size or memory_budget: %w",
			st.store.features.Parts.MaxParts, st.plan.Size(st.next), driver.Invalid)
	}
	count = min(count, room-1)

	if img.Staged.Key != "" && img.Staged.ID == "" {
		img.strayAt(img.Staged.Key)
	}
	if img.Staged.ID == "" && st.upload.ID == "" {
		img.Staged.Key = st.target
	}
	img.Next = st.next + count
	if err := img.save(ctx, st.store.bucket, tail); err != nil {
		return err
	}
	*st.sess = img
	st.claimed = img.Next
	return nil
}
